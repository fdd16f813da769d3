/* A file the user asked for: written beside its final name and renamed when whole, so that no half file is ever left. */
#pragma once

#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"

struct output_file {
	int fd;
	char *path, *temp; /* temp NULL: path is written directly (a device or pipe) */
};

#define OUTPUT_FILE_INIT \
	{                \
		.fd = -1 \
	}

int output_file_open(struct output_file *f, const char *path, mode_t mode, struct error *err);
int output_file_commit(struct output_file *f, struct error *err);
/* Removes what was not committed. */
void output_file_release(struct output_file *f);

CLEANUP_RELEASE(output_file)
