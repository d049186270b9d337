// A stand-in for cuSPARSE's header, as far as libtorch's own headers name it. NVIDIA's comes in a
// wheel of hundreds of megabytes, of which nothing else is used.
#pragma once

typedef struct cusparseContext* cusparseHandle_t;
typedef enum { CUSPARSE_STATUS_SUCCESS = 0 } cusparseStatus_t;
extern "C" const char* cusparseGetErrorString(cusparseStatus_t status);
