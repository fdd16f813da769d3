/* What several parts write into the document of a task, the same way. */
#pragma once

#include "base/json.h"

/* Seconds since 1970 with milliseconds, as JSON 1.1 writes times; new reference. */
json_t *task_document_time(int64_t ns);
/* Nothing of it runs: every state STOPPED, attachments DELETED, times, and a new version. */
void task_document_end(json_t *document);
