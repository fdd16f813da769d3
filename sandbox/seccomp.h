/*
 * The system call filter of a step, as BPF for the kernel: Docker's default profile (see seccomp_table.h) for the
 * machine's architecture and its 32-bit sibling; x32 is off. clone() may not make namespaces, clone3() does not exist
 * (its flags are behind a pointer), socket() takes every family but AF_ALG and AF_VSOCK. The 32-bit socketcall() stays:
 * its arguments are behind a pointer too, and without it no 32-bit program has a network.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/sha256.h"
#include "base/strbuf.h"

enum seccomp_kind {
	SECCOMP_REAL,
	SECCOMP_PRETENDING, /* changes of ownership and identity are answered with success and not made (rootless-single) */
	SECCOMP_OWNERS, /* the same, but what sets and shows owners is handed over to a listener */
	SECCOMP_PROC,   /* what may name something below /proc is handed over (chroot) */
	N_SECCOMP_KINDS,
};

/*
 * Appends the program, an array of struct sock_filter. Calls are handed over on the machine's own architecture alone.
 * ERROR_UNSUPPORTED on an architecture without a table.
 */
int seccomp_program(enum seccomp_kind kind, struct strbuf *out, struct error *err);
/* Names what the bytes depend on besides the kind: tables and library version. For a cache of the program. */
void seccomp_version_key(char out[SHA256_HEX_SIZE]);
