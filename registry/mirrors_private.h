/* The rules of mirrors.h, for the files that fill and read them. */
#pragma once

#include "registry/mirrors.h"

enum mirror_for { MIRROR_FOR_ALL, MIRROR_FOR_DIGESTS, MIRROR_FOR_TAGS };

struct mirror {
	char *location;
	bool insecure;
	enum mirror_for use;
};

/* A [[registry]]: what it says of the names below its prefix. */
struct mirror_rule {
	char *prefix;   /* "docker.io", "example.com:5000/team", "*.example.com" */
	char *location; /* NULL: as the prefix */
	char *where;    /* "PATH:LINE", for messages */
	bool insecure, blocked, digests_only;
	struct mirror *mirrors;
	size_t n_mirrors, cap;
};

struct mirrors {
	struct mirror_rule *rules, *options; /* of files, and of --mirror */
	size_t n_rules, rules_cap, n_options, options_cap;
	char *search_list;
};

/* A new rule at the end of a list; its strings are set by the caller. */
struct mirror_rule *mirror_rule_new(struct mirror_rule **list, size_t *n, size_t *cap);
struct mirror *mirror_new(struct mirror_rule *rule);
void mirror_rule_release(struct mirror_rule *rule);
