/* A build before its first step: the file is read, its stages are chosen, the images they are FROM are known. */
#pragma once

#include "builder/build_state.h"

void build_init(struct build *b, struct store *s, const struct build_options *o);
void build_release(struct build *b);
/* The Dockerfile, the variables of FROM, what FROM names. b->file may be there even when this fails. */
int build_read(struct build *b, struct error *err);
/*
 * Which stages the target needs, until no base image's triggers add anything. The manifest and config of every image they
 * name are looked up: a name that is wrong fails here. all: of every stage, needed or not.
 */
int build_plan(struct build *b, bool all, struct error *err);

CLEANUP_RELEASE(build)
