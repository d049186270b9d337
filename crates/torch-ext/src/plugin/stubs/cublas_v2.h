// A stand-in for cuBLAS' header, as far as libtorch's own headers name it. NVIDIA's comes in a
// wheel of hundreds of megabytes, of which nothing else is used.
#pragma once

typedef struct cublasContext* cublasHandle_t;
typedef enum { CUBLAS_STATUS_SUCCESS = 0 } cublasStatus_t;
