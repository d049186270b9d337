// A stand-in for cuBLASLt's header, as far as libtorch's own headers name it. NVIDIA's comes in a
// wheel of hundreds of megabytes, of which nothing else is used.
#pragma once

typedef struct cublasLtContext* cublasLtHandle_t;
