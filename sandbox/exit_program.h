/*
 * The smallest program of an architecture: a static ELF file that exits with 0 (System V ABI and each one's supplement; the
 * system call exit). Running it tells whether its kind runs here; its header is what binfmt_misc compares with its magic.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXIT_PROGRAM_SIZE 160

/* arch: GOARCH's word. *len: of the file. False for architectures that are not known. */
bool exit_program_make(const char *arch, uint8_t out[EXIT_PROGRAM_SIZE], size_t *len);
