#include "local/task_document.h"

#include "base/time.h"
#include "deploy/task_json.h"

json_t *task_document_time(int64_t ns)
{
	const int64_t ms = ns / 1000000;

	return json_real((double)ms / 1000);
}

static void set_once(json_t *document, const char *key, json_t *value)
{
	if (json_object_get(document, key))
		json_decref(value);
	else
		json_object_set_new(document, key, value);
}

void task_document_end(json_t *document)
{
	json_t *item;
	size_t i;

	json_object_set_new(document, "lastStatus", json_string("STOPPED"));
	json_object_set_new(document, "desiredStatus", json_string("STOPPED"));
	set_once(document, "executionStoppedAt", task_document_time(time_now_ns()));
	set_once(document, "stoppedAt", task_document_time(time_now_ns()));
	json_array_foreach (json_object_get(document, "containers"), i, item)
		json_object_set_new(item, "lastStatus", json_string("STOPPED"));
	json_array_foreach (json_object_get(document, "attachments"), i, item)
		json_object_set_new(item, "status", json_string("DELETED"));
	json_object_del(json_object_get(document, "slipway"), "processes");
	json_object_set_new(document, "version",
			    json_integer(task_json_int(document, "version", 0) + 1));
}
