#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "builder/history.h"
#include "builder/steps.h"

void step_argv(const struct stage *st, const struct command *c, struct strlist *argv)
{
	if (!c->shell) {
		strlist_copy(argv, &c->argv);
		return;
	}
	if (st->config.shell.n) {
		strlist_copy(argv, &st->config.shell);
	} else {
		strlist_add(argv, "/bin/sh");
		strlist_add(argv, "-c");
	}
	strlist_add(argv, c->text);
}

bool step_is_shown(const struct instruction *ins)
{
	return ins->kind == INSTRUCTION_RUN || ins->kind == INSTRUCTION_COPY ||
	       ins->kind == INSTRUCTION_ADD || ins->kind == INSTRUCTION_WORKDIR;
}

static void set_text(char **field, const char *value)
{
	free(*field);
	*field = *value ? xstrdup(value) : NULL;
}

static int do_arg(struct stage *st, const struct instruction *ins, struct strbuf *history,
		  struct error *err)
{
	const struct build *b = st->build;

	for (size_t i = 0; i < ins->pairs.n; i++) {
		const char *value;

		if (scope_declare(&st->scope, ins, i, b->build_args, &st->target->globals, &value,
				  err) < 0)
			return -1;
		history_arg_add(history, ins->pairs.items[i].key, value);
	}
	return 0;
}

static void do_env(struct stage *st, const struct instruction *ins, struct strbuf *history)
{
	for (size_t i = 0; i < ins->pairs.n; i++) {
		const struct key_value *item = &ins->pairs.items[i];

		scope_set_env(&st->scope, item->key, item->value);
		image_config_set_env(&st->config, item->key, item->value);
	}
	history_pairs(history, ins);
}

static void do_label(struct stage *st, const struct instruction *ins, struct strbuf *history)
{
	for (size_t i = 0; i < ins->pairs.n; i++)
		strmap_set(&st->config.labels, ins->pairs.items[i].key, ins->pairs.items[i].value);
	history_pairs(history, ins);
}

static void do_cmd(struct stage *st, const struct instruction *ins, struct strbuf *history)
{
	strlist_clear(&st->config.cmd);
	step_argv(st, &ins->command, &st->config.cmd);
	st->config.has_cmd = true;
	st->config.args_escaped = true;
	st->cmd_set = true;
	history_argv(history, ins, &st->config.cmd);
}

static void do_entrypoint(struct stage *st, const struct instruction *ins, struct strbuf *history)
{
	strlist_clear(&st->config.entrypoint);
	step_argv(st, &ins->command, &st->config.entrypoint);
	st->config.has_entrypoint = true;
	if (!st->cmd_set) {
		strlist_clear(&st->config.cmd);
		st->config.has_cmd = false;
	}
	history_argv(history, ins, &st->config.entrypoint);
}

static void do_shell(struct stage *st, const struct instruction *ins, struct strbuf *history)
{
	strlist_clear(&st->config.shell);
	strlist_copy(&st->config.shell, &ins->command.argv);
	history_list(history, ins, &st->config.shell);
}

static void do_expose(struct stage *st, const struct instruction *ins, struct strbuf *history)
{
	for (size_t i = 0; i < ins->words.n; i++)
		image_config_add_port(&st->config, ins->words.items[i]);
	history_list(history, ins, &ins->words);
}

static void do_volume(struct stage *st, const struct instruction *ins, struct strbuf *history)
{
	for (size_t i = 0; i < ins->words.n; i++)
		image_config_add_volume(&st->config, ins->words.items[i]);
	history_list(history, ins, &ins->words);
}

static void do_healthcheck(struct stage *st, const struct instruction *ins, struct strbuf *history)
{
	const struct healthcheck_instruction *from = &ins->healthcheck;
	struct healthcheck *to = &st->config.healthcheck;

	strlist_clear(&to->test);
	if (from->none) {
		strlist_add(&to->test, "NONE");
	} else if (from->command.shell) {
		strlist_add(&to->test, "CMD-SHELL");
		strlist_add(&to->test, from->command.text);
	} else {
		strlist_add(&to->test, "CMD");
		strlist_copy(&to->test, &from->command.argv);
	}
	to->interval = from->interval;
	to->timeout = from->timeout;
	to->start_period = from->start_period;
	to->start_interval = from->start_interval;
	to->retries = from->retries;
	st->config.has_healthcheck = true;
	history_healthcheck(history, to);
}

int step_config(struct stage *st, const struct instruction *ins, struct error *err)
{
	AUTO(strbuf) history = STRBUF_INIT;
	int result = 0;

	switch (ins->kind) {
	case INSTRUCTION_ARG:
		result = do_arg(st, ins, &history, err);
		break;
	case INSTRUCTION_ENV:
		do_env(st, ins, &history);
		break;
	case INSTRUCTION_LABEL:
		do_label(st, ins, &history);
		break;
	case INSTRUCTION_CMD:
		do_cmd(st, ins, &history);
		break;
	case INSTRUCTION_ENTRYPOINT:
		do_entrypoint(st, ins, &history);
		break;
	case INSTRUCTION_SHELL:
		do_shell(st, ins, &history);
		break;
	case INSTRUCTION_EXPOSE:
		do_expose(st, ins, &history);
		break;
	case INSTRUCTION_VOLUME:
		do_volume(st, ins, &history);
		break;
	case INSTRUCTION_HEALTHCHECK:
		do_healthcheck(st, ins, &history);
		break;
	case INSTRUCTION_USER:
		set_text(&st->config.user, ins->value);
		history_value(&history, ins, ins->value);
		break;
	case INSTRUCTION_STOPSIGNAL:
		set_text(&st->config.stop_signal, ins->value);
		history_value(&history, ins, ins->value);
		break;
	case INSTRUCTION_MAINTAINER:
		set_text(&st->config.author, ins->value);
		history_value(&history, ins, ins->value);
		break;
	case INSTRUCTION_ONBUILD: /* no entry in the history */
		strlist_add(&st->config.on_build, ins->onbuild);
		return 0;
	case INSTRUCTION_FROM:
	case INSTRUCTION_RUN:
	case INSTRUCTION_COPY:
	case INSTRUCTION_ADD:
	case INSTRUCTION_WORKDIR:
		return error_set(err, ERROR_UNSUPPORTED, "%s is not a matter of configuration",
				 instruction_name(ins->kind));
	}
	if (result == 0)
		stage_add_history(st, history.buf);
	return result;
}
