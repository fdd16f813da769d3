#include <stdio.h>

#include "base/alloc.h"
#include "base/json.h"
#include "cli/cmd.h"
#include "cli/json_print.h"
#include "sandbox/emulator.h"

static const struct command_usage usage = {
	.name = "doctor",
	.args = "[OPTIONS]",
	.summary = "Show what this machine allows, and which sandbox RUN steps get",
};

static char *list_platforms(void)
{
	AUTO(strlist) names = STRLIST_INIT;

	emulator_platforms(&names, EMULATOR_BINFMT);
	return strlist_join(&names, ", ");
}

static void print_text(struct app *a, const struct sandbox_probe *probes, size_t n,
		       enum sandbox_mode chosen)
{
	printf("State folder: %s\n", store_root(a->store));
	printf("Sandbox for RUN: %s\n\n",
	       chosen == SANDBOX_NONE ? "none: RUN is refused" : sandbox_mode_name(chosen));
	for (size_t i = 0; i < n; i++) {
		const struct sandbox_probe *p = &probes[i];
		const char *state = p->mode == chosen ? "in use" : p->works ? "works" : "no";

		printf("%-18s %s\n", sandbox_mode_name(p->mode), state);
		if (p->works)
			printf("    storage: %s\n", sandbox_storage_name(p->storage));
		if (p->reason)
			printf("    why not: %s\n", p->reason);
		if (p->storage_reason)
			printf("    why no better storage: %s\n", p->storage_reason);
		if (p->remedy)
			printf("    to change it: %s\n", p->remedy);
	}
	AUTO_FREE char *list = list_platforms();

	printf("\nPrograms run here for: %s\n", list);
	if (chosen == SANDBOX_NONE)
		printf("\nBuilds without RUN work here; COPY, ADD, push and pull need no sandbox.\n");
}

static void print_json(struct app *a, const struct sandbox_probe *probes, size_t n,
		       enum sandbox_mode chosen)
{
	AUTO_JSON *out = json_object();
	AUTO(strlist) names = STRLIST_INIT;
	json_t *modes = json_array(), *platforms = json_array();

	json_object_set_new(out, "root", json_text(store_root(a->store)));
	json_object_set_new(out, "mode", json_text(sandbox_mode_name(chosen)));
	for (size_t i = 0; i < n; i++) {
		json_t *row = json_object();

		json_object_set_new(row, "mode", json_text(sandbox_mode_name(probes[i].mode)));
		json_object_set_new(row, "works", json_boolean(probes[i].works));
		if (probes[i].works)
			json_object_set_new(row, "storage",
					    json_text(sandbox_storage_name(probes[i].storage)));
		if (probes[i].reason)
			json_object_set_new(row, "reason", json_text(probes[i].reason));
		if (probes[i].storage_reason)
			json_object_set_new(row, "storageReason",
					    json_text(probes[i].storage_reason));
		if (probes[i].remedy)
			json_object_set_new(row, "remedy", json_text(probes[i].remedy));
		json_array_append_new(modes, row);
	}
	json_object_set_new(out, "modes", modes);
	emulator_platforms(&names, EMULATOR_BINFMT);
	for (size_t i = 0; i < names.n; i++)
		json_array_append_new(platforms, json_text(names.items[i]));
	json_object_set_new(out, "platforms", platforms);
	json_print(out);
}

int cmd_doctor(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	struct sandbox_probe probes[SANDBOX_NONE];
	enum sandbox_mode chosen = SANDBOX_NONE;
	bool json = false;
	size_t n = 0;
	struct option options[] = {
		{0, "json", OPTION_FLAG, NULL, "Print JSON", &json},
	};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (app_sandbox(a, err) < 0)
		return -1;
	chosen = sandbox_mode(a->sandbox, NULL);
	sandbox_probe_all(a->sandbox, probes, &n);
	if (json)
		print_json(a, probes, n, chosen);
	else
		print_text(a, probes, n, chosen);
	for (size_t i = 0; i < n; i++)
		sandbox_probe_release(&probes[i]);
	return 0;
}
