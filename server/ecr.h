/*
 * What Amazon ECR does otherwise than the specification, for tests of clients (registry serve --ecr-quirks):
 *
 * - a login is always asked for, by "Basic" with ECR's realm and service;
 * - repositories are not made by a push: 404 NAME_UNKNOWN;
 * - no blob is mounted, from whatever repository: 202, and the upload begins;
 * - PATCH answers 201, and what a second one brings is lost: Range stays where it was;
 * - a session that got bytes does not begin again at 0: 416 BLOB_UPLOAD_INVALID;
 * - an empty blob cannot be completed;
 * - a tag that exists is immutable when so asked for, also for the same digest: 400 TAG_INVALID;
 * - PUT of a manifest has no Location; unknown artifact types and media types are 405 UNSUPPORTED;
 * - a part of a layer has at least 5 MiB, unless it is the last;
 * - a layer has at most 52,000 MiB, a page of tags at most 1000;
 * - when so asked for: a token ends so many seconds after it was first used (403), and every so many requests one is too many (429).
 */
#pragma once

#include "server/call.h"

#define ECR_MOST_TAGS   1000
#define ECR_LAYER_BYTES (52000ll << 20)
#define ECR_LEAST_PART  (5ll << 20)

/* What it remembers from one request to the next. */
struct ecr;
struct ecr *ecr_new(void);
void ecr_free(struct ecr *e);

/* False, and answered: this request is one too many. */
bool ecr_has_room(struct call *c);
/* False, and answered: the token, which is right, has ended. */
bool ecr_is_fresh(struct call *c, const char *token);
/* The challenge of a 401. */
void ecr_challenge(struct call *c);
/* False, and answered: the repository is not there. */
bool ecr_has_repository(struct call *c);
struct document;
/* False, and answered: it is no image, nor an index. */
bool ecr_takes(struct call *c, const struct document *doc);
/* False, and answered: more follows on a part that has so many bytes, and is too small for it. */
bool ecr_takes_part_after(struct call *c, int64_t size);
