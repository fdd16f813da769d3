/*
 * The created_by texts of an image's history, as BuildKit writes them (dockerfile.md 12). Each function replaces
 * what is in out; instructions are expanded ones.
 */
#pragma once

#include "builder/scope.h"
#include "oci/config.h"

#define HISTORY_COMMENT "buildkit.dockerfile.v0"

/* "RUN |1 A=1 /bin/sh -c make # buildkit" */
void history_run(struct strbuf *out, const struct scope *scope, const struct strlist *argv);
/* "COPY --chown=1 a b # buildkit"; also ADD */
void history_copy(struct strbuf *out, const struct instruction *ins);
/* "WORKDIR /app"; USER, STOPSIGNAL and MAINTAINER the same way */
void history_value(struct strbuf *out, const struct instruction *ins, const char *value);
/* "ENV A=1 B=2"; also LABEL */
void history_pairs(struct strbuf *out, const struct instruction *ins);
/* The start of an ARG line; history_arg_add() for each name. */
void history_arg_add(struct strbuf *out, const char *key, const char *value);
/* CMD ["python" "app.py"]; also ENTRYPOINT */
void history_argv(struct strbuf *out, const struct instruction *ins, const struct strlist *argv);
/* "VOLUME [/a /b]"; also EXPOSE and SHELL */
void history_list(struct strbuf *out, const struct instruction *ins, const struct strlist *items);
/* "HEALTHCHECK {Test:[NONE] Interval:0s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}" */
void history_healthcheck(struct strbuf *out, const struct healthcheck *h);
