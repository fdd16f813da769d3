/*
 * System calls by name, each table sorted by bytes. What is in none of them does not exist for the step (ENOSYS), as
 * if the kernel were older: programs then use what they used before. The tables follow Docker's default profile for
 * the capabilities a step has; calls with conditions on their arguments (clone, personality, socket) are in seccomp.c.
 */
#pragma once

#include <stddef.h>

extern const char *const seccomp_allowed[];
extern const size_t n_seccomp_allowed;
extern const char *const seccomp_refused[]; /* EPERM */
extern const size_t n_seccomp_refused;
extern const char *const seccomp_proc_calls[]; /* chroot: what may name something below /proc */
extern const size_t n_seccomp_proc_calls;
extern const char *const seccomp_owner_calls[]; /* rootless-single: what sets and shows owners */
extern const size_t n_seccomp_owner_calls;
extern const char *const seccomp_owner_cases[]; /* ... depending on their arguments */
extern const size_t n_seccomp_owner_cases;
extern const char *const seccomp_pretended[]; /* rootless-single: 0, nothing done */
extern const size_t n_seccomp_pretended;
