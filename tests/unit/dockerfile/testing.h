/* What the tests of dockerfile/ share: one line of text for each instruction, so that a test is a table. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "base/strmap.h"
#include "dockerfile/dockerfile.h"

__attribute__((unused)) static void describe_quoted(struct strbuf *out, const char *text)
{
	if (!text) {
		strbuf_puts(out, "-");
		return;
	}
	strbuf_putc(out, '[');
	for (; *text; text++) {
		if (*text == '\n')
			strbuf_puts(out, "\\n");
		else
			strbuf_putc(out, *text);
	}
	strbuf_putc(out, ']');
}

__attribute__((unused)) static void describe_list(struct strbuf *out, const struct strlist *list)
{
	for (size_t i = 0; i < list->n; i++)
		describe_quoted(out, list->items[i]);
}

__attribute__((unused)) static void describe_command(struct strbuf *out, const struct command *c)
{
	strbuf_puts(out, c->shell ? " shell " : " exec ");
	if (c->shell)
		describe_quoted(out, c->text);
	else
		describe_list(out, &c->argv);
}

__attribute__((unused)) static void describe_mount(struct strbuf *out, const struct run_mount *m)
{
	strbuf_printf(out, " %s{", mount_kind_name(m->kind));
	if (m->from)
		strbuf_printf(out, " from=%s", m->from);
	if (m->source)
		strbuf_printf(out, " source=%s", m->source);
	if (m->target)
		strbuf_printf(out, " target=%s", m->target);
	if (m->id)
		strbuf_printf(out, " id=%s", m->id);
	if (m->env)
		strbuf_printf(out, " env=%s", m->env);
	if (m->kind == MOUNT_CACHE)
		strbuf_printf(out, " sharing=%d", m->sharing);
	if (m->kind != MOUNT_BIND && m->kind != MOUNT_TMPFS)
		strbuf_printf(out, " %04o:%u:%u%s", (unsigned)m->mode, m->uid, m->gid,
			      m->has_mode || m->has_uid || m->has_gid ? "!" : "");
	if (m->size)
		strbuf_printf(out, " size=%lld", (long long)m->size);
	strbuf_printf(out, "%s%s }", m->readonly ? " ro" : " rw", m->required ? " required" : "");
}

__attribute__((unused)) static void describe_run(struct strbuf *out,
						 const struct run_instruction *run)
{
	static const char *const networks[] = {"", " network=none", " network=host"};

	describe_command(out, &run->command);
	if (run->script) {
		strbuf_puts(out, " script ");
		describe_quoted(out, run->script);
	}
	strbuf_puts(out, networks[run->network]);
	for (size_t i = 0; i < run->n_mounts; i++)
		describe_mount(out, &run->mounts[i]);
}

__attribute__((unused)) static void describe_copy(struct strbuf *out,
						  const struct copy_instruction *copy)
{
	strbuf_putc(out, ' ');
	describe_list(out, &copy->sources);
	for (size_t i = 0; i < copy->n_heredocs; i++) {
		AUTO_FREE char *body = heredoc_body(&copy->heredocs[i]);

		strbuf_printf(out, " <<%s", copy->heredocs[i].name);
		describe_quoted(out, body);
		strbuf_puts(out, copy->heredocs[i].expand ? "" : " raw");
	}
	strbuf_puts(out, " -> ");
	describe_quoted(out, copy->dest);
	if (copy->from)
		strbuf_printf(out, " from=%s", copy->from);
	if (copy->chown)
		strbuf_printf(out, " chown=%s", copy->chown);
	if (copy->chmod_text)
		strbuf_printf(out, " chmod=%s", copy->chmod_text);
	if (copy->checksum)
		strbuf_printf(out, " checksum=%s", copy->checksum);
	strbuf_printf(out, "%s%s", copy->link ? " link" : "", copy->parents ? " parents" : "");
	if (copy->has_keep_git_dir)
		strbuf_printf(out, " keep-git-dir=%d", copy->keep_git_dir);
	if (copy->has_unpack)
		strbuf_printf(out, " unpack=%d", copy->unpack);
	if (copy->excludes.n) {
		strbuf_puts(out, " exclude=");
		describe_list(out, &copy->excludes);
	}
}

__attribute__((unused)) static void describe_pairs(struct strbuf *out,
						   const struct pairs_instruction *pairs)
{
	for (size_t i = 0; i < pairs->n; i++) {
		strbuf_putc(out, ' ');
		describe_quoted(out, pairs->items[i].key);
		if (pairs->items[i].value) {
			strbuf_putc(out, '=');
			describe_quoted(out, pairs->items[i].value);
		}
	}
}

__attribute__((unused)) static void describe_healthcheck(struct strbuf *out,
							 const struct healthcheck_instruction *h)
{
	if (h->none) {
		strbuf_puts(out, " NONE");
		return;
	}
	describe_command(out, &h->command);
	strbuf_printf(out, " %lld %lld %lld %lld %d", (long long)h->interval, (long long)h->timeout,
		      (long long)h->start_period, (long long)h->start_interval, h->retries);
}

__attribute__((unused)) static void describe(struct strbuf *out, const struct instruction *ins)
{
	strbuf_puts(out, instruction_name(ins->kind));
	switch (ins->kind) {
	case INSTRUCTION_FROM:
		strbuf_putc(out, ' ');
		describe_quoted(out, ins->from.image);
		if (ins->from.platform)
			strbuf_printf(out, " platform=%s", ins->from.platform);
		if (ins->from.stage)
			strbuf_printf(out, " as %s", ins->from.stage);
		break;
	case INSTRUCTION_ARG:
	case INSTRUCTION_ENV:
	case INSTRUCTION_LABEL:
		describe_pairs(out, &ins->pairs);
		break;
	case INSTRUCTION_RUN:
		describe_run(out, &ins->run);
		break;
	case INSTRUCTION_COPY:
	case INSTRUCTION_ADD:
		describe_copy(out, &ins->copy);
		break;
	case INSTRUCTION_WORKDIR:
	case INSTRUCTION_USER:
	case INSTRUCTION_STOPSIGNAL:
	case INSTRUCTION_MAINTAINER:
		strbuf_putc(out, ' ');
		describe_quoted(out, ins->value);
		break;
	case INSTRUCTION_EXPOSE:
	case INSTRUCTION_VOLUME:
		strbuf_putc(out, ' ');
		describe_list(out, &ins->words);
		break;
	case INSTRUCTION_ENTRYPOINT:
	case INSTRUCTION_CMD:
	case INSTRUCTION_SHELL:
		describe_command(out, &ins->command);
		break;
	case INSTRUCTION_HEALTHCHECK:
		describe_healthcheck(out, &ins->healthcheck);
		break;
	case INSTRUCTION_ONBUILD:
		strbuf_putc(out, ' ');
		describe_quoted(out, ins->onbuild);
		break;
	}
}

/* The values of VAR=value pairs, NULL at the end, as a scope. */
struct test_scope {
	struct strmap values;
	struct strlist undefined;
};

__attribute__((unused)) static const char *test_lookup(void *ctx, const char *name)
{
	return strmap_get(&((struct test_scope *)ctx)->values, name);
}

__attribute__((unused)) static void test_undefined(void *ctx, const char *name)
{
	strlist_add(&((struct test_scope *)ctx)->undefined, name);
}

/* One instruction below "FROM base", expanded with this scope, or not when scope is NULL. */
__attribute__((unused)) static int read_one(struct strbuf *out, const char *text,
					    struct test_scope *scope, struct error *err)
{
	AUTO_FREE char *whole = xstrfmt("FROM base\n%s", text);
	AUTO_PTR(dockerfile) file = NULL;
	AUTO(instruction) ready = INSTRUCTION_INIT;
	const struct dockerfile_stage *stage;

	if (dockerfile_parse(&file, "Dockerfile", whole, strlen(whole), err) < 0)
		return -1;
	stage = &file->stages[file->n_stages - 1];
	assert_int_equal(stage->n_instructions, 1);
	if (scope) {
		struct expand_scope s = {
			.lookup = test_lookup,
			.undefined = test_undefined,
			.ctx = scope,
			.escape = file->escape,
		};

		if (instruction_expand(&ready, &stage->instructions[0], &s, err) < 0)
			return -1;
		describe(out, &ready);
	} else {
		describe(out, &stage->instructions[0]);
	}
	return 0;
}

struct row {
	const char *text;
	const char
		*expected; /* a line of describe(); with "!" in front: part of the error message */
};

/* Runs a table of instructions; reports every row that differs. */
__attribute__((unused)) static void check_rows(const struct row *rows, size_t n,
					       struct test_scope *scope)
{
	size_t i, bad = 0;

	for (i = 0; i < n; i++) {
		AUTO(strbuf) out = STRBUF_INIT;
		AUTO(error) err = ERROR_INIT;
		bool wants_error = rows[i].expected[0] == '!';
		int r = read_one(&out, rows[i].text, scope, &err);
		const char *got = r < 0 ? err.message : out.buf;

		if (wants_error ? r < 0 && strstr(got, rows[i].expected + 1) != NULL
				: r == 0 && strcmp(got, rows[i].expected) == 0)
			continue;
		bad++;
		print_error("row %zu: %s\n  expected %s\n  got      %s\n", i, rows[i].text,
			    rows[i].expected, got);
	}
	assert_int_equal(bad, 0);
}
