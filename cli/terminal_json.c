#include "cli/terminal_json.h"

#include "base/json.h"

static void put(struct strbuf *out, json_t *event)
{
	json_write(event, out);
	strbuf_putc(out, '\n');
	json_decref(event);
}

static json_t *event_new(const char *kind, int id)
{
	json_t *event = json_object();

	json_object_set_new(event, "event", json_string(kind));
	if (id)
		json_object_set_new(event, "step", json_integer(id));
	return event;
}

void json_event_log(struct strbuf *out, enum log_level level, const char *text)
{
	json_t *event = event_new("log", 0);
	const char *name = level == LOG_WARNING ? "warning" : level == LOG_INFO ? "info" : "debug";

	json_object_set_new(event, "level", json_string(name));
	json_object_set_new(event, "text", json_text(text));
	put(out, event);
}

void json_event_begin(struct strbuf *out, int id, const char *name)
{
	json_t *event = event_new("begin", id);

	json_object_set_new(event, "name", json_text(name));
	put(out, event);
}

void json_event_output(struct strbuf *out, int id, int fd, const void *data, size_t len)
{
	json_t *event = event_new("output", id);

	json_object_set_new(event, "stream", json_string(fd == 2 ? "stderr" : "stdout"));
	json_object_set_new(event, "text", json_textn(data, len));
	put(out, event);
}

void json_event_progress(struct strbuf *out, int id, int64_t done, int64_t total)
{
	json_t *event = event_new("progress", id);

	json_object_set_new(event, "done", json_integer(done));
	if (total >= 0)
		json_object_set_new(event, "total", json_integer(total));
	put(out, event);
}

void json_event_note(struct strbuf *out, int id, const char *text)
{
	json_t *event = event_new("note", id);

	json_object_set_new(event, "text", json_text(text));
	put(out, event);
}

void json_event_end(struct strbuf *out, int id, const char *status, int64_t elapsed_ns,
		    const struct error *err)
{
	json_t *event = event_new("end", id);

	json_object_set_new(event, "status", json_string(status));
	json_object_set_new(event, "seconds", json_real((double)elapsed_ns / 1e9));
	if (err && err->message)
		json_object_set_new(event, "error", json_text(err->message));
	put(out, event);
}
