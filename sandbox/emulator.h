/*
 * Programs of other architectures: which run here, and what makes them run (Documentation/admin-guide/binfmt-misc.rst of the
 * kernel). An emulator registered with the flag F was opened then and is found in every root; without F the kernel looks its
 * path up where the program runs, so the image itself must have it.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/strlist.h"
#include "oci/platform.h"

#define EMULATOR_BINFMT "/proc/sys/fs/binfmt_misc"

enum emulator_state {
	EMULATOR_NATIVE, /* the CPU and the kernel run it, or an emulator that cannot be seen from here */
	EMULATOR_FIXED,    /* registered with F */
	EMULATOR_IN_IMAGE, /* registered without F: interpreter has to be in the image */
	EMULATOR_DISABLED, /* registered and switched off, alone or with all of binfmt_misc (name NULL) */
	EMULATOR_MISSING,    /* nothing is registered */
	EMULATOR_NO_BINFMT,  /* binfmt_misc is not mounted, and such programs do not run */
	EMULATOR_FOREIGN_OS, /* no Linux */
};

struct emulator {
	enum emulator_state state;
	char *name;        /* of the entry: "qemu-aarch64"; NULL: none */
	char *interpreter; /* its path; NULL: none */
};

/*
 * What runs programs of p on this machine. binfmt: EMULATOR_BINFMT, or a folder like it. Where it cannot tell, a program is
 * really run.
 */
void emulator_find(struct emulator *out, const struct platform *p, const char *binfmt);
void emulator_release(struct emulator *e);
/*
 * NULL when programs run, in_image telling of EMULATOR_IN_IMAGE whether the interpreter is there; else the reason, as the end of
 * a sentence, and in *remedy what to do (free() both).
 */
char *emulator_problem(const struct emulator *e, const struct platform *p, bool in_image,
		       char **remedy);

/* The platforms whose programs run here in any image, this machine's first: "linux/amd64". */
void emulator_platforms(struct strlist *out, const char *binfmt);

CLEANUP_RELEASE(emulator)
