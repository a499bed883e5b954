/* The stub, as the linker made it, inside this program. */
__asm__(".section .rodata\n"
        ".global ud_stub_start\n"
        ".global ud_stub_end\n"
        ".balign 4096\n"
        "ud_stub_start:\n"
        ".incbin \"" UD_STUB_FILE "\"\n"
        "ud_stub_end:\n"
        ".byte 0\n"
        ".text\n");
