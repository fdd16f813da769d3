#include "builder/output.h"

#include "build_fixture.h"

struct recorder {
	struct reporter reporter;
	struct strbuf text;
	int last_fd;
};

static void record(struct reporter *r, int id, int fd, const void *data, size_t len)
{
	struct recorder *rec = (struct recorder *)r;

	assert_int_equal(id, 7);
	rec->last_fd = fd;
	strbuf_add(&rec->text, data, len);
}

static void start(struct output *o, struct recorder *r)
{
	*r = (struct recorder){.reporter = {.step_output = record}, .text = STRBUF_INIT};
	output_init(o, &r->reporter);
	o->step = 7;
}

static void bytes_pass_unchanged(void **state)
{
	AUTO(output) o;
	struct recorder r;

	(void)state;
	start(&o, &r);
	output_write(&o, 1, "a\0b\x1b[31m", 8);
	output_write(&o, 2, "err", 3);
	assert_int_equal(r.last_fd, 2);
	output_end(&o);
	assert_int_equal(r.text.len, 11);
	assert_memory_equal(r.text.buf, "a\0b\x1b[31merr", 11);
	strbuf_release(&r.text);
}

static void secrets_are_masked_in_both_streams(void **state)
{
	AUTO(output) o;
	AUTO(strbuf) tail = STRBUF_INIT;
	struct recorder r;

	(void)state;
	start(&o, &r);
	mask_add(&o.mask, "hunter2", 7);
	output_write(&o, 1, "is hun", 6);
	output_write(&o, 2, "hunter2!\n", 9);
	output_write(&o, 1, "ter2\n", 5);
	output_end(&o);
	assert_string_equal(r.text.buf, "is ***!\n***\n");
	output_tail(&o, &tail);
	assert_string_equal(tail.buf, "Its output:\n  is ***!\n  ***");
	strbuf_release(&r.text);
}

static void the_last_lines_are_kept(void **state)
{
	AUTO(output) o;
	AUTO(strbuf) tail = STRBUF_INIT;
	AUTO(strbuf) wanted = STRBUF_INIT;
	struct recorder r;

	(void)state;
	start(&o, &r);
	output_tail(&o, &tail);
	assert_int_equal(tail.len, 0);
	for (int i = 1; i <= 100; i++) {
		AUTO_FREE char *line = xstrfmt("line %d\n", i);

		output_write(&o, 1, line, strlen(line));
	}
	output_write(&o, 1, "no end", 6);
	output_end(&o);
	output_tail(&o, &tail);
	strbuf_printf(&wanted, "The last %d lines of its output:", LIMIT_STEP_TAIL_LINES);
	for (int i = 100 - LIMIT_STEP_TAIL_LINES + 2; i <= 100; i++)
		strbuf_printf(&wanted, "\n  line %d", i);
	strbuf_puts(&wanted, "\n  no end");
	assert_string_equal(tail.buf, wanted.buf);
	strbuf_release(&r.text);
}

static void odd_lines(void **state)
{
	AUTO(output) o;
	AUTO(strbuf) tail = STRBUF_INIT;
	AUTO(strbuf) long_line = STRBUF_INIT;
	struct recorder r;

	(void)state;
	start(&o, &r);
	output_write(&o, 1, "1%\r50%\r100%\r\n\n\x1b[2J\n", 19);
	for (int i = 0; i < 5000; i++)
		strbuf_putc(&long_line, 'x');
	output_write(&o, 1, long_line.buf, long_line.len);
	output_end(&o);
	output_tail(&o, &tail);
	assert_non_null(strstr(tail.buf, "Its output:\n  100%\n  \n  \\x1b[2J\n  xxx"));
	assert_non_null(strstr(tail.buf, "xxx ... and 904 more bytes"));
	strbuf_release(&r.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_pass_unchanged),
		cmocka_unit_test(secrets_are_masked_in_both_streams),
		cmocka_unit_test(the_last_lines_are_kept),
		cmocka_unit_test(odd_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
