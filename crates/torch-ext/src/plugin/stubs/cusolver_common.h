// A stand-in for cuSOLVER's common header, as far as libtorch's own headers name it. NVIDIA's comes in a
// wheel of hundreds of megabytes, of which nothing else is used.
#pragma once

typedef enum { CUSOLVER_STATUS_SUCCESS = 0 } cusolverStatus_t;
