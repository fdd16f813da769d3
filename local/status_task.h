/* What the status page shows of one task; and what it takes from documents of any kind (local/status.h). */
#pragma once

#include "local/state.h"

/* A new object with those members of the document that it has; names end with NULL. It shares the values. */
json_t *status_pick(const json_t *document, const char *const *names);
/* "definition": "FAMILY:REVISION" of the ARN that the document has under name. */
void status_set_definition(json_t *out, const json_t *document, const char *name);
/* "address" and "ports", once the network has given them. */
void status_set_address(json_t *out, const json_t *document);

/*
 * {"id", "definition", "service", .., "containers": [{"name", .., "log": {"group", "stream"}}]}: a new reference, with the state's lock
 * held. A container's log is where the awslogs driver of its definition puts its lines; other drivers have none.
 */
json_t *status_task(struct state *s, const json_t *task);
