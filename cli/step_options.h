/*
 * Options that build and run share with docker and that shape what a step finds: --add-host, --ulimit, --shm-size. Each takes the text
 * of one use and names the option in its errors (ERROR_USAGE).
 */
#pragma once

#include "base/error.h"
#include "base/strlist.h"
#include "sandbox/rootfs.h"

/*
 * "NAME:ADDRESS" or "NAME=ADDRESS", an IPv6 address also in brackets. "host-gateway" stands for the machine itself, which a step that
 * shares its network reaches as 127.0.0.1. Adds "NAME:ADDRESS".
 */
int add_host_parse(struct strlist *out, const char *text, struct error *err);
/* "nofile=1024[:2048]"; -1: no limit. */
int limit_parse(struct sandbox_limit *out, const char *text, struct error *err);
/* All uses, as an array to free(); of two for one resource the later one counts. */
int limits_parse(struct sandbox_limit **out, size_t *n, const struct strlist *texts,
		 struct error *err);
/* "64m"; bytes, at least 1. */
int shm_size_parse(int64_t *out, const char *text, struct error *err);
