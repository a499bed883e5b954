/* x86-64 in numbers. */
#ifndef RME_RUNTIME_ARCH_X86_64_ABI_H
#define RME_RUNTIME_ARCH_X86_64_ABI_H

/* Of user space with four-level page tables, which is also all that a process of a
 * five-level system gets unless it asks for more. */
#define RME_ADDRESS_BITS 47

/* elf.h: EM_X86_64, R_X86_64_RELATIVE */
#define RME_ELF_MACHINE  62
#define RME_ELF_RELATIVE 8

/* linux/audit.h, AUDIT_ARCH_X86_64: what a filter of system calls asks first */
#define RME_AUDIT_ARCH 0xc000003eu

/* Which words of the registers of a core's note are the thread pointer and the stack
 * pointer: sys/user.h, user_regs_struct.fs_base and rsp */
#define RME_REGS_THREAD_POINTER 21
#define RME_REGS_STACK_POINTER  19

#endif
