/*
 * What a helper is asked and answers: JSON texts, each behind its length in four native bytes, on a stream socket.
 * A request is {"op": ..., "root": state folder, ...}; an answer {"ok": ...} or {"error": {...}}.
 */
#pragma once

#include "base/json.h"
#include "sandbox/work.h"

int frame_write(int fd, const json_t *j, struct error *err);
/* 1: *out is a new reference, 0: the other side is gone, -1: error. */
int frame_read(int fd, json_t **out, struct error *err);

json_t *layers_to_json(const struct rootfs_layer *layers, size_t n);

/* The layers of a request, with what their views point to. */
struct layer_list {
	struct rootfs_layer *layers;
	struct descriptor *descriptors;
	struct digest *diff_ids;
	size_t n;
};
int layer_list_from_json(struct layer_list *l, const json_t *array, struct error *err);
void layer_list_release(struct layer_list *l);

json_t *error_to_json(const struct error *e);
void error_from_json(struct error *e, const json_t *j);

CLEANUP_RELEASE(layer_list)
