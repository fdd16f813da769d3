/* --progress=json: one JSON object a line. Fields: docs/build.md. */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/strbuf.h"

void json_event_log(struct strbuf *out, enum log_level level, const char *text);
void json_event_begin(struct strbuf *out, int id, const char *name);
void json_event_output(struct strbuf *out, int id, int fd, const void *data, size_t len);
void json_event_progress(struct strbuf *out, int id, int64_t done, int64_t total);
void json_event_note(struct strbuf *out, int id, const char *text);
void json_event_end(struct strbuf *out, int id, const char *status, int64_t elapsed_ns,
		    const struct error *err);
