/* What the files of the local CloudWatch Logs share: groups are documents (local/log_group.h), streams and events are in the log store. */
#pragma once

#include "local/api.h"

#define LOGS_DAY_MS 86400000ll

int logs_invalid(struct api_call *c, const char *name, const char *value, const char *why);
#define logs_invalid(...) (logs_invalid(__VA_ARGS__), error_result())
/* The group of logGroupName or logGroupIdentifier: its document (a view) and name. NULL after api_error(). */
json_t *logs_group(struct api_call *c, const char **name);
/* The same from an ARN, with or without ":*" behind it. */
json_t *logs_group_of_arn(struct api_call *c, const char *member, const char **name);
/* logStreamName, which must be a good one: -1 after api_error(). */
int logs_stream_name(struct api_call *c, const char **name);
int logs_no_stream(struct api_call *c);
int logs_save(struct api_call *c, const char *name, json_t *document);
/* Events of an earlier time have outlived their group's retention: ms since 1970, 0: none has. */
int64_t logs_floor(const json_t *document);
/* tags of the input into the object: -1 after api_error(). */
int logs_add_tags(struct api_call *c, json_t *tags);

/* The operation PutLogEvents. */
int logs_put_events(struct api_call *c);

/* Removes what has outlived its group's retention; without the state's lock. To be called now and then. */
void logs_expire(struct local *l);
