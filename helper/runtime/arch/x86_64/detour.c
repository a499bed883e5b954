/* Code that a stopped thread is sent through, to make calls for a debugger, and that brings it
 * back by itself whatever becomes of the debugger. It is not run where it lies here: the debugger
 * copies it, with a job behind it, into a part of a page of code that nothing uses, and sets the
 * thread's rip (helper/python/rememberme/detour.py has the job's layout). No system call is needed
 * to enter it, no memory but the thread's own stack below the red zone, and of the state nothing is
 * lost that the kernel does not lose for a signal.
 *
 * After each call the thread stops itself by a signal whose default is to be ignored: with
 * a debugger the stop is the debugger's, and so is what comes next, another job; without one
 * nothing happens, the job is the same as before, and the thread undoes what was
 * done, restores its state and goes on. */

#if defined(__x86_64__)
__asm__(".text\n"
        ".balign 16\n"
        ".globl rme_detour, rme_detour_stop, rme_detour_job\n"
        "rme_detour:\n\t"
        /* The kernel goes back by two bytes where it begins a system call again. */
        ".byte 0x66, 0x90\n\t"
        "lea -256(%rsp), %rsp\n\t" /* the red zone is 128 */
        "pushfq\n\t"
        "cld\n\t"
        "push %rax\n\tpush %rcx\n\tpush %rdx\n\tpush %rbx\n\tpush %rbp\n\t"
        "push %rsi\n\tpush %rdi\n\tpush %r8\n\tpush %r9\n\tpush %r10\n\t"
        "push %r11\n\tpush %r12\n\tpush %r13\n\tpush %r14\n\tpush %r15\n\t"
        "mov %rsp, %rbp\n\t"
        "sub $512, %rsp\n\t"
        "and $-64, %rsp\n\t"
        "fxsave64 (%rsp)\n\t" /* what is compiled for any x86-64 has no wider registers */
        "lea .Lrme_detour_job(%rip), %rbx\n"
        "1:\n\t"
        "mov (%rbx), %r12\n\t" /* which job this is */
        "mov 16(%rbx), %rdi\n\t"
        "mov 24(%rbx), %rsi\n\t"
        "mov 32(%rbx), %rdx\n\t"
        "mov 40(%rbx), %rcx\n\t"
        "mov 48(%rbx), %r8\n\t"
        "mov 56(%rbx), %r9\n\t"
        "call *8(%rbx)\n\t"
        "mov %rax, %r13\n\t"
        "mov $234, %eax\n\t" /* tgkill */
        "mov 64(%rbx), %edi\n\t"
        "mov 68(%rbx), %esi\n\t"
        "mov 72(%rbx), %edx\n\t"
        "syscall\n"
        "rme_detour_stop:\n\t"
        "cmp (%rbx), %r12\n\t"
        "jne 1b\n\t"
        "lea 104(%rbx), %r14\n"
        "2:\n\t" /* what is to be undone: function and two arguments, until no function */
        "mov (%r14), %rax\n\t"
        "test %rax, %rax\n\t"
        "jz 3f\n\t"
        "mov 8(%r14), %rdi\n\t"
        "mov 16(%r14), %rsi\n\t"
        "cmp $-1, %rdi\n\t" /* stands for what the last call returned */
        "cmove %r13, %rdi\n\t"
        "add $24, %r14\n\t"
        "call *%rax\n\t"
        "jmp 2b\n"
        "3:\n\t"
        "mov $14, %eax\n\t" /* rt_sigprocmask */
        "mov $2, %edi\n\t"  /* SIG_SETMASK */
        "lea 80(%rbx), %rsi\n\t"
        "xor %edx, %edx\n\t"
        "mov $8, %r10d\n\t"
        "syscall\n\t"
        "fxrstor64 (%rsp)\n\t"
        "mov %rbp, %rsp\n\t"
        "pop %r15\n\tpop %r14\n\tpop %r13\n\tpop %r12\n\tpop %r11\n\t"
        "pop %r10\n\tpop %r9\n\tpop %r8\n\tpop %rdi\n\tpop %rsi\n\t"
        "pop %rbp\n\tpop %rbx\n\tpop %rdx\n\tpop %rcx\n\tpop %rax\n\t"
        "popfq\n\t"
        "lea 256(%rsp), %rsp\n\t"
        "mov .Lrme_detour_job+96(%rip), %rax\n\t" /* perhaps the call that is begun again */
        "jmp *.Lrme_detour_job+88(%rip)\n\t"
        ".balign 8\n"
        ".Lrme_detour_job:\n"
        "rme_detour_job:\n\t"
        ".quad 0\n");
#endif
