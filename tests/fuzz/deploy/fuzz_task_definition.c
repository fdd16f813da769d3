/* Task definitions of any shape: lint says something or nothing, one is equal to itself, and an image put in is all that changes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "deploy/lint.h"
#include "deploy/task_compare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_findings(const struct task_definition *td)
{
	AUTO(lint_findings) found = {.items = NULL};
	int lines = 1;

	for (const char *s = td->text; *s; s++)
		lines += *s == '\n';
	lint_definition(td, &(struct lint_options){.role_follows = false}, &found);
	for (size_t i = 0; i < found.n; i++) {
		AUTO_FREE char *text = lint_format(&found.items[i], td);

		if (!*text || found.items[i].line < 1 || found.items[i].line > lines)
			abort();
	}
}

static void check_equal(const struct task_definition *a, const struct task_definition *b)
{
	AUTO(strlist) lines = STRLIST_INIT;

	task_definition_diff(a, b, &lines);
	if (!task_definition_equal(a, b) || lines.n)
		abort();
}

/* Whatever the diff lists, it lists it only for those that are not equal. */
static void check_image(struct task_definition *td, const struct task_definition *before)
{
	AUTO(strlist) lines = STRLIST_INIT;

	if (task_definition_put_image(td, NULL, "web", "new:1", NULL) < 0)
		return;
	task_definition_diff(before, td, &lines);
	if ((lines.n == 0) != task_definition_equal(before, td) || lines.n > 2)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(task_definition) td = {.json = NULL};
	AUTO(task_definition) again = {.json = NULL};
	AUTO(strlist) facts = STRLIST_INIT;
	AUTO(strbuf) text = STRBUF_INIT;

	if (task_definition_read(&td, (const char *)data, size, "input", NULL) < 0)
		return 0;
	check_findings(&td);
	task_definition_ports(&td, &facts);
	task_definition_log_groups(&td, &facts);
	task_definition_secrets(&td, &facts);
	(void)task_definition_needs_execution_role(&td);
	task_definition_from_json(&again, td.json);
	check_equal(&td, &again);
	check_image(&td, &again);
	json_write(td.json, &text);
	return 0;
}
