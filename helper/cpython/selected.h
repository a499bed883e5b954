/* Which thread the request asks about. */
#ifndef RME_CPYTHON_SELECTED_H
#define RME_CPYTHON_SELECTED_H

#include "cpython/thread.h"

/* The thread state of the request's thread: by thread pointer, else by LWP. Where one
 * thread has several (subinterpreters), the newest that runs something. False with
 * "no-python-thread" when that thread runs no Python. Holds its own guard. */
bool rme_thread_selected(struct rme_python *py, struct rme_python_thread *ret,
                         struct rme_error *error);

#endif
