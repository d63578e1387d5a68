/*
 * SQLite's tokens, with their place in the text, so that DDL can be edited and everything else kept byte for byte.
 *
 * Comments and blanks are not tokens: they are the gaps. Pure; what SQLite would not accept becomes TOKEN_BAD.
 */
#ifndef ALTERD_MIGRATE_TOKENIZE_H
#define ALTERD_MIGRATE_TOKENIZE_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/migrate/pool.h"
#include "proto/error.h"

enum token_kind {
	TOKEN_END,    /* behind the last one; never inside a list */
	TOKEN_WORD,   /* a bare word: keyword or name */
	TOKEN_QUOTED, /* "x" `x` [x] */
	TOKEN_STRING, /* 'x' */
	TOKEN_NUMBER,
	TOKEN_BLOB,     /* x'00' */
	TOKEN_VARIABLE, /* ?1 :a @a $a */
	TOKEN_PUNCT,    /* one operator; ( ) , ; . always stand alone */
	TOKEN_BAD,
};

struct token {
	enum token_kind kind;
	size_t start, end; /* bytes of the text: [start, end) */
};

/* Tokens of a text; the element behind the last has kind TOKEN_END, start = end = length of the text. */
struct tokens {
	const char *text; /* borrowed */
	size_t n;
	struct token *at; /* n + 1 elements */
};

/* Most tokens a text may have; more is an error. DDL of 2000 columns has about 20000. */
#define TOKENS_MAX 1000000

int tokenize(struct pool *pool, const char *text, size_t len, struct tokens *ret, struct error *err);

/* True if token i is the bare word `word` (any case). i may be n. */
bool token_is(const struct tokens *t, size_t i, const char *word);
/* True if token i is this one punctuation character. */
bool token_punct(const struct tokens *t, size_t i, char c);
/* True if token i can be a name: a word, a quoted name, or (as SQLite allows) a string. */
bool token_name(const struct tokens *t, size_t i);
/* The name a token stands for, quotes removed. */
char *token_unquote(struct pool *pool, const struct tokens *t, size_t i);
/* Text of tokens [from, to), with the gaps between them as they are. */
char *token_text(struct pool *pool, const struct tokens *t, size_t from, size_t to);
/* Index of the ')' that closes the '(' at i; n if there is none. */
size_t token_close(const struct tokens *t, size_t i);

#endif
