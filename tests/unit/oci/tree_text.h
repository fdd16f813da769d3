/* Trees of tests: layers as text, one line an entry, and the merged view as text again. */
#pragma once

#include <stdlib.h>

#include "oci/layer_index.h"
#include "oci/tree.h"
#include "tests/unit/oci/store_fixture.h"

/*
 * Adds a layer whose index holds these lines: a letter and a path, then what the kind needs:
 * "f PATH content", "d PATH [mode]", "l PATH target", "h PATH target", "c PATH", "w PATH", "o PATH".
 */
static inline int tree_text_add(struct fixture *f, struct tree *t, const char *text,
				struct error *err)
{
	static unsigned number;
	AUTO_PTR(index_writer) w = index_writer_new(f->store);
	AUTO_FREE char *lines = xstrdup(text);
	char *save = NULL;
	unsigned id = ++number;
	struct digest diff = digest_of(&id, sizeof(id));

	for (char *line = strtok_r(lines, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct entry e = {.path = line + 2, .mode = 0644};
		char *rest = strchr(line + 2, ' ');

		if (rest)
			*rest++ = '\0';
		e.type = (enum entry_type)(strchr("fdlhcbpwo", line[0]) - "fdlhcbpwo");
		if (e.type == ENTRY_DIR)
			e.mode = rest ? (mode_t)strtoul(rest, NULL, 8) : 0755;
		if (e.type == ENTRY_FILE) {
			rest = rest ? rest : line;
			e.size = (int64_t)strlen(rest);
			e.has_content = true;
			sha256_buf(rest, strlen(rest), e.content);
		}
		if (e.type == ENTRY_SYMLINK || e.type == ENTRY_HARDLINK)
			e.link = rest;
		assert_ok(f, index_writer_add(w, &e, &f->err));
	}
	assert_ok(f, index_writer_commit(w, &diff, &f->err));
	return tree_add_layer(t, f->store, &diff, err);
}

static inline void tree_text_node(struct strbuf *out, const struct tree_node *n)
{
	AUTO_FREE char *path = tree_path(n);

	if (n->parent || n->set_by || n->mode != 0755)
		strbuf_printf(out, "%c %s", "fdlhcbp"[n->type], path);
	if (n->type == ENTRY_DIR && (n->parent || n->set_by || n->mode != 0755))
		strbuf_printf(out, " %o", n->mode);
	if (n->type == ENTRY_SYMLINK)
		strbuf_printf(out, " %s", n->link);
	if (n->type == ENTRY_FILE)
		strbuf_printf(out, " %lld", (long long)n->file.size);
	if (n->type == ENTRY_FILE && n->elsewhere)
		strbuf_printf(out, " [%s]", n->file.other->path);
	if (n->parent || n->set_by || n->mode != 0755)
		strbuf_printf(out, " @%u\n", n->layer);
	for (uint32_t i = 0; n->type == ENTRY_DIR && i < n->folder.n_children; i++) {
		assert_ptr_equal(n->folder.children[i]->parent, n);
		assert_true(i == 0 || strcmp(n->folder.children[i - 1]->name,
					     n->folder.children[i]->name) < 0);
		assert_false(n->folder.children[i]->gone);
		tree_text_node(out, n->folder.children[i]);
	}
}

/* "LETTER PATH [mode, target or size] [where its bytes are] @LAYER" in order; the root only when a layer set it. */
static inline void tree_text(struct strbuf *out, struct tree *t)
{
	tree_text_node(out, tree_root(t));
}
