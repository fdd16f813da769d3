#include "sandbox/helper_protocol.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/fs.h"

#define FRAME_LIMIT (16u << 20)
#define WHERE       "message of the sandbox helper"

static int send_all(int fd, const char *data, size_t len, struct error *err)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_errno(err, "talk to the sandbox helper");
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int frame_write(int fd, const json_t *j, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(strbuf) frame = STRBUF_INIT;
	uint32_t len;

	json_write(j, &text);
	if (text.len > FRAME_LIMIT)
		return error_set(err, ERROR_UNSUPPORTED,
				 "a message to the sandbox helper is too long");
	len = (uint32_t)text.len;
	strbuf_add(&frame, &len, sizeof(len));
	strbuf_add(&frame, text.buf, text.len);
	return send_all(fd, frame.buf, frame.len, err);
}

/* 1: all of it, 0: the end instead. */
static int read_all(int fd, void *data, size_t len, struct error *err)
{
	char *at = data;

	while (len > 0) {
		ssize_t n = read(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != ECONNRESET)
			return error_errno(err, "hear from the sandbox helper");
		if (n <= 0)
			return 0;
		at += n;
		len -= (size_t)n;
	}
	return 1;
}

int frame_read(int fd, json_t **out, struct error *err)
{
	AUTO_FREE char *text = NULL;
	uint32_t len;
	int r = read_all(fd, &len, sizeof(len), err);

	if (r <= 0)
		return r;
	if (len > FRAME_LIMIT)
		return error_set(err, ERROR_CORRUPT, WHERE ": too long");
	text = xmalloc(len + 1u);
	r = read_all(fd, text, len, err);
	if (r <= 0)
		return r;
	return json_parse(out, text, len, WHERE, err) < 0 ? -1 : 1;
}

json_t *layers_to_json(const struct rootfs_layer *layers, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *item = json_object();

		json_object_set_new(item, "descriptor", descriptor_to_json(layers[i].descriptor));
		json_object_set_new(item, "diffId", json_string(layers[i].diff_id->text));
		json_array_append_new(array, item);
	}
	return array;
}

int layer_list_from_json(struct layer_list *l, const json_t *array, struct error *err)
{
	size_t n = json_array_size(array);

	l->layers = xcalloc(n ? n : 1, sizeof(*l->layers));
	l->descriptors = xcalloc(n ? n : 1, sizeof(*l->descriptors));
	l->diff_ids = xcalloc(n ? n : 1, sizeof(*l->diff_ids));
	for (size_t i = 0; i < n; i++) {
		const json_t *item = json_array_get(array, i);
		json_t *descriptor;
		const char *diff_id;

		if (json_get_object(item, "descriptor", &descriptor, WHERE, err) < 0 ||
		    json_get_string(item, "diffId", &diff_id, WHERE, err) < 0 ||
		    descriptor_from_json(&l->descriptors[i], descriptor, WHERE, err) < 0)
			return -1;
		l->n = i + 1;
		if (digest_parse(&l->diff_ids[i], diff_id, err) < 0)
			return -1;
		l->layers[i] = (struct rootfs_layer){&l->descriptors[i], &l->diff_ids[i]};
	}
	return 0;
}

void layer_list_release(struct layer_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		descriptor_release(&l->descriptors[i]);
	free(l->layers);
	free(l->descriptors);
	free(l->diff_ids);
	memset(l, 0, sizeof(*l));
}

json_t *error_to_json(const struct error *e)
{
	json_t *j = json_object();

	json_object_set_new(j, "kind", json_integer(e->kind));
	json_object_set_new(j, "number", json_integer(e->number));
	json_object_set_new(j, "status", json_integer(e->status));
	json_object_set_new(j, "message", json_text(e->message ? e->message : ""));
	return j;
}

void error_from_json(struct error *e, const json_t *j)
{
	int64_t kind = ERROR_SYSTEM, number = 0, status = 0;
	const char *message = NULL;

	json_opt_int(j, "kind", &kind, ERROR_SYSTEM, WHERE, NULL);
	json_opt_int(j, "number", &number, 0, WHERE, NULL);
	json_opt_int(j, "status", &status, 0, WHERE, NULL);
	json_opt_string(j, "message", &message, WHERE, NULL);
	if (kind <= ERROR_NONE || kind > ERROR_CANCELLED)
		kind = ERROR_SYSTEM;
	error_set(e, (enum error_kind)kind, "%s", message ? message : "the sandbox helper failed");
	if (e) {
		e->number = (int)number;
		e->status = (int)status;
	}
}
