#include "cli/build_call.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/json.h"
#include "builder/outline.h"
#include "cli/annotations.h"
#include "cli/check_output.h"
#include "cli/csv.h"
#include "cli/json_print.h"
#include "cli/table.h"
#include "dockerfile/dockerfile.h"
#include "dockerfile/value.h"

static int set_kind(struct build_call *out, const char *name, struct error *err)
{
	static const struct {
		const char *name;
		enum call_kind kind;
	} kinds[] = {
		{"build", CALL_BUILD},     {"check", CALL_CHECK},     {"lint", CALL_CHECK},
		{"outline", CALL_OUTLINE}, {"targets", CALL_TARGETS},
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0) {
			out->kind = kinds[i].kind;
			return 0;
		}
	return error_set(err, ERROR_USAGE, "--call %s: build, check, outline or targets", name);
}

static int set_format(struct build_call *out, const char *format, struct error *err)
{
	out->json = strcmp(format, "json") == 0;
	if (out->json || strcmp(format, "text") == 0)
		return 0;
	return error_set(err, ERROR_USAGE, "--format %s: text or json", format);
}

static int set_field(struct build_call *out, const struct strmap_entry *field, struct error *err)
{
	if (!field->value)
		return set_kind(out, field->key, err);
	if (strcmp(field->key, "format") == 0)
		return set_format(out, field->value, err);
	if (strcmp(field->key, "ignorestatus") != 0)
		return error_set(err, ERROR_USAGE, "--call: unknown field \"%s\"", field->key);
	if (!value_bool(&out->ignore_status, field->value))
		return error_set(err, ERROR_USAGE, "--call: ignorestatus=%s: true or false",
				 field->value);
	return 0;
}

int build_call_parse(struct build_call *out, const char *text, bool check, const char *format,
		     struct error *err)
{
	AUTO(strmap) fields = STRMAP_INIT;

	*out = (struct build_call){.kind = CALL_BUILD};
	if (text && csv_parse_fields(&fields, "--call", text, err) < 0)
		return -1;
	for (size_t i = 0; i < fields.n; i++)
		if (set_field(out, &fields.entries[i], err) < 0)
			return -1;
	if (check && out->kind != CALL_BUILD && out->kind != CALL_CHECK)
		return error_set(err, ERROR_USAGE, "--check and --call %s exclude each other",
				 text);
	if (check)
		out->kind = CALL_CHECK;
	if (!format)
		return 0;
	if (out->kind == CALL_BUILD)
		return error_set(err, ERROR_USAGE, "--format needs --check or --call");
	return set_format(out, format, err);
}

static int call_check(struct app *a, const struct build_call *call, const struct build_options *o,
		      const char *file, struct error *err)
{
	AUTO(check_list) list = CHECK_LIST_INIT;
	AUTO(error) problem = ERROR_INIT;
	int result = build_check(&list, a->store, o, &problem);

	terminal_finish(a->terminal);
	if (problem.kind == ERROR_CANCELLED || problem.kind == ERROR_USAGE)
		return error_move(err, &problem);
	if (call->json)
		check_print_json(&list, o, result < 0 ? &problem : NULL);
	else
		check_print_text(&list, o, result < 0);
	annotate_checks(a, file, &list, CHECK_SUGGESTION);
	if (result < 0)
		return error_move(err, &problem);
	return check_count(&list, CHECK_WARNING) > 0 && !call->ignore_status;
}

static json_t *source_json(const struct build_options *o)
{
	AUTO(strbuf) data = STRBUF_INIT;

	base64_encode(&data, o->dockerfile, o->dockerfile_len);
	return json_string(data.buf);
}

/* Field of obj, unless there is nothing to say. */
static void set_text(json_t *obj, const char *key, const char *value)
{
	if (value && *value)
		json_object_set_new(obj, key, json_text(value));
}

static void print_targets_json(const struct dockerfile *file, const struct build_options *o)
{
	AUTO_JSON *out = json_object();
	json_t *targets = json_array(), *sources = json_array();

	for (int i = 0; i < file->n_stages; i++) {
		const struct instruction *from = &file->stages[i].from;
		const char *name = file->stages[i].name;
		json_t *target = json_object();

		set_text(target, "name", name);
		if (i == file->n_stages - 1)
			json_object_set_new(target, "default", json_true());
		set_text(target, "description", name ? instruction_description(from, name) : NULL);
		set_text(target, "base", from->from.image);
		set_text(target, "platform", from->from.platform);
		json_object_set_new(target, "location",
				    check_location_json(from->line_first, from->line_last, 0));
		json_array_append_new(targets, target);
	}
	json_array_append_new(sources, source_json(o));
	json_object_set_new(out, "targets", targets);
	json_object_set_new(out, "sources", sources);
	json_print(out);
}

static int call_targets(const struct build_call *call, const struct build_options *o,
			struct error *err)
{
	AUTO_PTR(dockerfile) file = NULL;
	AUTO(table) table = {.columns = 2, .spacing = 1};

	if (dockerfile_parse(&file, o->dockerfile_name, o->dockerfile, o->dockerfile_len, err) < 0)
		return -1;
	if (call->json) {
		print_targets_json(file, o);
		return 0;
	}
	table_add(&table, (const char *const[]){"TARGET", "DESCRIPTION"});
	for (int i = 0; i < file->n_stages; i++) {
		const char *name = file->stages[i].name, *text = NULL;
		bool last = i == file->n_stages - 1;
		AUTO_FREE char *shown = xstrfmt("%s%s%s", name ? name : "", name && last ? " " : "",
						last ? "(default)" : "");

		if (name)
			text = instruction_description(&file->stages[i].from, name);
		table_add(&table, (const char *const[]){shown, text ? text : ""});
	}
	table_print(&table);
	return 0;
}

static void print_heading(const struct outline *o)
{
	AUTO(table) table = {.columns = 2, .spacing = 1};

	if (!o->name && !o->description)
		return;
	table_add(&table, (const char *const[]){"TARGET:", o->name ? o->name : "(default)"});
	if (o->description)
		table_add(&table, (const char *const[]){"DESCRIPTION:", o->description});
	table_print(&table);
	putchar('\n');
}

static void print_needs(const char *title, const struct outline_items *list)
{
	AUTO(table) table = {.columns = 2, .spacing = 3};

	if (!list->n)
		return;
	table_add(&table, (const char *const[]){title, "REQUIRED"});
	for (size_t i = 0; i < list->n; i++)
		table_add(&table, (const char *const[]){list->items[i].name,
							list->items[i].required ? "true" : ""});
	table_print(&table);
	putchar('\n');
}

static void print_outline(const struct outline *o)
{
	AUTO(table) args = {.columns = 3, .spacing = 3};

	print_heading(o);
	if (o->args.n) {
		table_add(&args, (const char *const[]){"BUILD ARG", "VALUE", "DESCRIPTION"});
		for (size_t i = 0; i < o->args.n; i++) {
			const struct outline_item *arg = &o->args.items[i];

			table_add(&args,
				  (const char *const[]){arg->name, arg->value,
							arg->description ? arg->description : ""});
		}
		table_print(&args);
		putchar('\n');
	}
	print_needs("SECRET", &o->secrets);
	print_needs("SSH", &o->agents);
}

static void set_items(json_t *out, const char *key, const struct outline_items *list)
{
	json_t *items = json_array();

	for (size_t i = 0; i < list->n; i++) {
		const struct outline_item *item = &list->items[i];
		json_t *j = json_object();

		set_text(j, "name", item->name);
		set_text(j, "description", item->description);
		set_text(j, "value", item->value);
		if (item->required)
			json_object_set_new(j, "required", json_true());
		json_object_set_new(j, "location",
				    check_location_json(item->line_first, item->line_last, 0));
		json_array_append_new(items, j);
	}
	if (list->n)
		json_object_set(out, key, items);
	json_decref(items);
}

static int call_outline(struct app *a, const struct build_call *call, const struct build_options *o,
			struct error *err)
{
	AUTO(outline) outline = {.name = NULL};
	AUTO_JSON *out = json_object();
	json_t *sources = json_array();
	int result = build_outline(&outline, a->store, o, err);

	terminal_finish(a->terminal);
	set_text(out, "name", outline.name);
	set_text(out, "description", outline.description);
	set_items(out, "args", &outline.args);
	set_items(out, "secrets", &outline.secrets);
	set_items(out, "ssh", &outline.agents);
	json_array_append_new(sources, source_json(o));
	json_object_set_new(out, "sources", sources);
	if (result < 0)
		return -1;
	if (call->json)
		json_print(out);
	else
		print_outline(&outline);
	return 0;
}

int build_call_run(struct app *a, const struct build_call *call, const struct build_options *o,
		   const char *file, struct error *err)
{
	switch (call->kind) {
	case CALL_CHECK:
		return call_check(a, call, o, file, err);
	case CALL_OUTLINE:
		return call_outline(a, call, o, err);
	case CALL_TARGETS:
		return call_targets(call, o, err);
	case CALL_BUILD:
		break;
	}
	return 0;
}
