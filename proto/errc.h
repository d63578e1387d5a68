/*
 * The errors of protocol 1, once: name on the wire (`data.name`), code, whether trying again may help.
 *
 * Positive codes are SQLite's extended result codes and are not listed here (daemon/store/db.c names them).
 */
#ifndef ALTERD_PROTO_ERRC_H
#define ALTERD_PROTO_ERRC_H

#define ERRC_MAP(X)                                                                                                    \
	X(PARSE_ERROR, -32700, false)                                                                                  \
	X(INVALID_REQUEST, -32600, false)                                                                              \
	X(METHOD_NOT_FOUND, -32601, false)                                                                             \
	X(INVALID_PARAMS, -32602, false)                                                                               \
	X(INTERNAL, -32603, false)                                                                                     \
	X(PROTOCOL_VERSION, -32001, false)                                                                             \
	X(DENIED, -32002, false)                                                                                       \
	X(READ_ONLY, -32003, false)                                                                                    \
	X(SHUTTING_DOWN, -32004, true)                                                                                 \
	X(LINE_TOO_LONG, -32005, false)                                                                                \
	X(TOO_MANY, -32006, true)                                                                                      \
	X(NOT_FOUND, -32007, false)                                                                                    \
	X(BUSY, -32010, true)                                                                                          \
	X(TX_EXPIRED, -32011, true)                                                                                    \
	X(NO_TRANSACTION, -32012, false)                                                                               \
	X(IN_TRANSACTION, -32012, false)                                                                               \
	X(CURSOR_EXPIRED, -32013, true)                                                                                \
	X(EXPECTATION_FAILED, -32014, false)                                                                           \
	X(MIGRATION_RUNNING, -32020, true)                                                                             \
	X(MIGRATION_INVALID, -32021, false)                                                                            \
	X(CHECKSUM_MISMATCH, -32022, false)                                                                            \
	X(OUT_OF_ORDER, -32023, false)                                                                                 \
	X(NO_DOWN, -32024, false)                                                                                      \
	X(NEEDS_FORCE, -32025, false)                                                                                  \
	X(FAILED_MIGRATION, -32026, false)                                                                             \
	X(ABORTED, -32027, false)                                                                                      \
	X(WRONG_STATE, -32028, false)                                                                                  \
	X(VERSION_MISMATCH, -32029, false)

enum errc {
#define X(name, code, retryable) ERRC_##name,
	ERRC_MAP(X)
#undef X
		ERRC_COUNT
};

#endif
