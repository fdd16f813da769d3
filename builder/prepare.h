/* A build before its first step: the file is read, its stages are chosen, the images they are FROM are known. */
#pragma once

#include "builder/build_state.h"

void build_init(struct build *b, struct store *s, const struct build_options *o);
void build_release(struct build *b);
/*
 * Of every platform: the Dockerfile, the variables of FROM, what FROM names. The file of a target may be there even when this fails.
 */
int build_read(struct build *b, struct error *err);
/*
 * Which stages the target needs, until no base image's triggers add anything. The manifest and config of every image they
 * name are looked up: a name that is wrong fails here. all: of every stage, needed or not.
 */
int build_plan(struct build *b, bool all, struct error *err);
/* What the rules found, sorted, without what is silenced, and once what several platforms have in common. */
void build_take_checks(struct build *b, struct check_list *out);

CLEANUP_RELEASE(build)
