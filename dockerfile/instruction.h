/*
 * Typed instructions. A file's instructions come out of dockerfile_parse()
 * (graph.h), checked but not expanded; before one is carried out it is
 * expanded:
 *
 *	AUTO(instruction) ready = INSTRUCTION_INIT;
 *	if (instruction_expand(&ready, ins, &scope, err) < 0)
 *		return -1;                          the error has its place
 *	run_copy(&ready.copy, ...);
 *
 * Strings are owned by the instruction, NULL where "not given" differs from
 * empty. The source an instruction points at must live as long as it does;
 * struct dockerfile keeps it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/strlist.h"
#include "dockerfile/ast.h"
#include "dockerfile/check.h"
#include "dockerfile/chmod.h"
#include "dockerfile/expand.h"
#include "dockerfile/mount.h"
#include "dockerfile/source.h"

enum instruction_kind {
	INSTRUCTION_FROM,
	INSTRUCTION_ARG,
	INSTRUCTION_ENV,
	INSTRUCTION_RUN,
	INSTRUCTION_COPY,
	INSTRUCTION_ADD,
	INSTRUCTION_WORKDIR,
	INSTRUCTION_USER,
	INSTRUCTION_LABEL,
	INSTRUCTION_EXPOSE,
	INSTRUCTION_VOLUME,
	INSTRUCTION_ENTRYPOINT,
	INSTRUCTION_CMD,
	INSTRUCTION_SHELL,
	INSTRUCTION_STOPSIGNAL,
	INSTRUCTION_HEALTHCHECK,
	INSTRUCTION_ONBUILD,
	INSTRUCTION_MAINTAINER,
};
#define N_INSTRUCTIONS (INSTRUCTION_MAINTAINER + 1)

enum run_network { RUN_NETWORK_DEFAULT, RUN_NETWORK_NONE, RUN_NETWORK_HOST };

/* RUN, CMD, ENTRYPOINT and the command of HEALTHCHECK; never expanded. */
struct command {
	bool shell;          /* shell form */
	char *text;          /* shell form: what the shell gets; NULL in exec form */
	struct strlist argv; /* exec form */
};

struct run_instruction {
	/*
	 * With heredocs, command.text is what the shell is given: the body of "RUN
	 * <<EOF", else the command with its heredocs rebuilt. A body that begins with
	 * "#!" is in script: it is to be mounted read-only, mode 0755, as
	 * script_path, which is then also command.text.
	 */
	struct command command;
	char *script;
	char *script_path; /* "/dev/pipes/EOF" */
	struct run_mount *mounts;
	size_t n_mounts;
	enum run_network network;
	bool insecure; /* --security=insecure */
};

/* COPY and ADD. */
struct copy_instruction {
	struct strlist sources;   /* paths, and for ADD also URLs and git references */
	struct heredoc *heredocs; /* files made from text, after the sources; expanded as asked */
	size_t n_heredocs;
	char *dest;
	char *from;  /* COPY: stage name, index, image or context; NULL: the build context */
	char *chown; /* text; NULL when not given or empty */
	char *chmod_text;
	struct chmod_spec chmod; /* filled by instruction_expand() */
	bool link, parents;
	struct strlist excludes;
	char *checksum;        /* ADD */
	bool keep_git_dir;     /* ADD */
	bool has_keep_git_dir; /* the flag was given */
	bool unpack;           /* ADD */
	bool has_unpack;       /* without it: local archives are unpacked, remote ones are not */
};

struct from_instruction {
	char *image;    /* unexpanded in a parsed file */
	char *platform; /* unexpanded; NULL when not given */
	char *stage;    /* lower case; NULL without AS */
};

/* ENV, LABEL, ARG. */
struct key_value {
	char *key;
	char *value; /* ARG without default: NULL */
};
struct pairs_instruction {
	struct key_value *items;
	size_t n;
	bool legacy; /* "ENV key value" */
};

struct healthcheck_instruction {
	bool none;
	struct command command;
	/* Nanoseconds; 0: not given. */
	int64_t interval, timeout, start_period, start_interval;
	int retries;
};

struct instruction {
	enum instruction_kind kind;
	const struct dockerfile_source *source;
	int line_first, line_last, column;
	/* The logical line as written, continuations joined, trimmed; heredoc bodies are not in it. */
	char *text;
	struct ast_piece *pieces; /* where its bytes stand */
	size_t n_pieces;
	bool trigger;            /* came from ONBUILD of the base */
	struct strlist comments; /* the lines directly above; of a parsed instruction */
	char escape;
	union {
		struct from_instruction from;
		struct pairs_instruction pairs; /* ARG ENV LABEL */
		struct run_instruction run;
		struct copy_instruction copy; /* COPY ADD */
		struct command command;       /* CMD ENTRYPOINT SHELL (argv) */
		char *value;                  /* WORKDIR USER STOPSIGNAL MAINTAINER */
		struct strlist words; /* VOLUME: paths. EXPOSE: words; expanded: "80/tcp", sorted */
		struct healthcheck_instruction healthcheck;
		char *onbuild; /* the trigger: text after ONBUILD, heredocs appended */
	};
};

#define INSTRUCTION_INIT \
	{                \
		0        \
	}

/* What a comment directly above ins says of name: "text" of "# name text"; NULL when none does. A view. */
const char *instruction_description(const struct instruction *ins, const char *name);
/* "COPY". */
const char *instruction_name(enum instruction_kind kind);
/* Case is ignored; false when there is no such instruction. */
bool instruction_kind_find(enum instruction_kind *out, const char *name);

/*
 * Checks and types one node; src must outlive out, warnings may be NULL.
 * ERROR_SYNTAX, ERROR_UNSUPPORTED, with place.
 */
int instruction_parse(struct instruction *out, const struct ast_node *node,
		      const struct dockerfile_source *src, char escape, struct check_list *warnings,
		      struct error *err);
/*
 * Parses the text of one ONBUILD trigger (of a base image's config, or of
 * instruction.onbuild): src holds it, and must outlive out. Its escape
 * character is \, whatever the file it came from said. FROM, MAINTAINER and
 * ONBUILD are ERROR_SYNTAX.
 */
int instruction_parse_text(struct instruction *out, const struct dockerfile_source *src,
			   struct error *err);

void instruction_release(struct instruction *ins);

/*
 * A copy of ins with its fields expanded, as far as the language expands them
 * (of ARG only the names: see instruction_expand_arg), and with the checks that
 * need the values: ports, signals, --chmod, --mount. ERROR_SYNTAX with place.
 */
int instruction_expand(struct instruction *out, const struct instruction *ins,
		       const struct expand_scope *scope, struct error *err);
/*
 * The ARGs of one line see each other, and a --build-arg replaces a default
 * unexpanded; so the builder goes through pairs.items itself, and calls this
 * for a default it wants. *value is NULL when item i has none; free().
 */
int instruction_expand_arg(char **value, const struct instruction *ins, size_t i,
			   const struct expand_scope *scope, struct error *err);

/* An error at the place of ins: "Dockerfile:4:1: message", the line, a caret. Returns -1. */
int instruction_error(struct error *err, enum error_kind kind, const struct instruction *ins,
		      const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Gives an existing error the place of ins, unless it has one. */
int instruction_error_place(struct error *err, const struct instruction *ins);
/* ... the place where piece stands in it: a source, the value of a flag; of ins itself when it is not found there. */
int instruction_error_at(struct error *err, const struct instruction *ins, const char *piece);
/* ... of the i-th source of a COPY or ADD, expanded or not. */
int instruction_error_at_source(struct error *err, const struct instruction *ins, size_t i);
/* ... of its destination. */
int instruction_error_at_dest(struct error *err, const struct instruction *ins);
/* Adds a hint when RUN, COPY or ADD failed for want of JSON: a list in single quotes is words, or a command. Returns -1. */
int instruction_hint_json(struct error *err, const struct instruction *ins);
#define INSTRUCTION_JSON_HINT \
	"The JSON form needs double quotes and no comma at its end, as in [\"a b\", \"/c/\"]."

CLEANUP_RELEASE(instruction)
