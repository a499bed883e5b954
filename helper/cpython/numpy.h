/* numpy's arrays and scalars: no tp_traverse, no collector, but most of the bytes of
 * many programs. Layouts of PyArrayObject_fields and PyArray_Descr from
 * numpy/core/include/numpy/ndarraytypes.h (1.x) and numpy/_core/… (2.x). */
#ifndef RME_CPYTHON_NUMPY_H
#define RME_CPYTHON_NUMPY_H

#include "cpython/type.h"
#include "runtime/sink.h"

/* ndarray.__sizeof__ without headers: the data only where the array owns it. */
uint64_t rme_numpy_array_size(struct rme_python *py, const struct rme_type *t, rme_addr array);

/* The bytes of its data where the array owns it, and where they are. */
uint64_t rme_numpy_array_data(rme_addr array);
rme_addr rme_numpy_array_address(rme_addr array);

/* generic.__sizeof__ without headers, of a scalar; false when its type is not numpy's. */
bool rme_numpy_scalar_size(struct rme_python *py, const struct rme_type *t, rme_addr scalar,
                           uint64_t *ret);

/* The array's base: what a view keeps alive. `all`: also its dtype, its memory
 * handler and, in arrays of objects, the elements. */
void rme_numpy_array_references(struct rme_python *py, rme_addr array, bool all,
                                const struct rme_sink *sink);

/* What a scalar of a structured type, or a dtype, owns. */
void rme_numpy_scalar_references(rme_addr scalar, const struct rme_type *t,
                                 const struct rme_sink *sink);
void rme_numpy_dtype_references(rme_addr descr, const struct rme_sink *sink);

/* The array that `array.flat` goes through. */
void rme_numpy_flatiter_references(rme_addr it, const struct rme_type *t,
                                   const struct rme_sink *sink);

#endif
