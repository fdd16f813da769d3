/*
 * Image configuration (image-spec 1.1, config.md, and docker's extensions
 * Healthcheck, Shell, OnBuild, ArgsEscaped). Unset fields are absent in the
 * written JSON, never null or "". Unknown fields of a parsed config are kept
 * in their place ("config" object and top level), except container_config, container,
 * docker_version, parent, id and the like, which belong to the former build.
 */
#pragma once

#include <stdbool.h>

#include "base/json.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "base/strmap.h"
#include "oci/descriptor.h"

struct history {
	char *created;    /* RFC 3339 or NULL */
	char *created_by; /* each NULL when absent */
	char *author;
	char *comment;
	bool empty_layer;
};

struct healthcheck {
	struct strlist test;       /* empty: none given */
	int64_t interval, timeout; /* nanoseconds; 0: absent */
	int64_t start_period, start_interval;
	int64_t retries;
};

struct image_config {
	char *created, *author;
	struct platform platform;

	/* the "config" object */
	char *user, *working_dir, *stop_signal; /* NULL: absent */
	struct strlist env;                     /* "K=V", in order */
	struct strlist entrypoint, cmd;
	bool has_entrypoint, has_cmd; /* set, maybe to nothing; an empty list is not written */
	struct strlist exposed_ports; /* "80/tcp", sorted, unique */
	struct strlist volumes;       /* sorted, unique */
	struct strmap labels;
	struct strlist shell, on_build;
	bool has_healthcheck;
	struct healthcheck healthcheck;
	bool args_escaped;

	struct digest *diff_ids;
	size_t n_diff_ids;
	struct history *history;
	size_t n_history;

	json_t *unknown_top, *unknown_config; /* objects or NULL */
};

void image_config_init(struct image_config *c);
void image_config_release(struct image_config *c);
void image_config_copy(struct image_config *dst, const struct image_config *src);
int image_config_parse(struct image_config *out, const char *text, size_t len, const char *where,
		       struct error *err);
/* Stable bytes: keys of the document and of "config" in byte order, compact. */
void image_config_write(const struct image_config *c, struct strbuf *out);
void image_config_add_layer(struct image_config *c, const struct digest *diff_id);
/* Copies the strings; created and others may be NULL. */
void image_config_add_history(struct image_config *c, const char *created, const char *created_by,
			      const char *comment, bool empty_layer);
/* Replaces KEY in place or appends. */
void image_config_set_env(struct image_config *c, const char *key, const char *value);
const char *image_config_get_env(const struct image_config *c, const char *key);
void image_config_add_port(struct image_config *c, const char *port);
void image_config_add_volume(struct image_config *c, const char *path);
/* Number of diff IDs = n_layers, and, when there is history, = its non-empty entries. ERROR_CORRUPT. */
int image_config_check(const struct image_config *c, size_t n_layers, const char *where,
		       struct error *err);

CLEANUP_RELEASE(image_config)
