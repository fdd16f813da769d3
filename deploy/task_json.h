/* Looking at the JSON of a task definition that may be wrong anywhere: what is missing or of another type is "" or 0. */
#pragma once

#include <stdint.h>

#include "aws/ask.h"
#include "base/json.h"
#include "base/strlist.h"

/* A view; "" when it is no text. aws_text() does the same for a member. */
const char *task_json_string(const json_t *value);
/* The number; fallback when it is missing or none. */
int64_t task_json_int(const json_t *object, const char *key, int64_t fallback);
/* The container of that name among a task definition's or a task's; NULL: there is none. */
json_t *container_named(const json_t *containers, const char *name);
/* Appends unless it is there. */
void task_json_add_once(struct strlist *list, const char *text);
/*
 * Units of CPU and MiB of memory as the ECS API Reference (RegisterTaskDefinition, cpu and memory) takes them: "256", ".25 vCPU",
 * "512", "0.5GB", "1 GB"; blanks and capitals do not count. -1: it is none.
 */
int64_t task_json_cpu(const char *text);
int64_t task_json_memory(const char *text);
