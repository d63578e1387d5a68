/*
 * Every setting, once: X(section, key, field, TYPE, default as written in the file, reload, least, greatest).
 *
 * TYPE: STRING (const char *), INT, BYTES (KiB, MiB, GiB), MS (ms, s, min), PERCENT, BOOL, MODE (octal) -> int64_t.
 * reload: true if SIGHUP can take a new value while running. alterd.conf shows each at its default; a test holds that.
 */
#ifndef ALTERD_CONFIG_SETTINGS_H
#define ALTERD_CONFIG_SETTINGS_H

#define SETTINGS_MAP(X)                                                                                                \
	X(store, database, store_database, STRING, "", false, 0, 0)                                                    \
	X(store, synchronous, store_synchronous, STRING, "full", false, 0, 0)                                          \
	X(store, readers, store_readers, INT, "2", false, 1, 64)                                                       \
	X(store, readers_max, store_readers_max, INT, "32", false, 1, 256)                                             \
	X(store, pinned_max, store_pinned_max, INT, "64", true, 1, 1024)                                               \
	X(store, queue, store_queue, INT, "1024", true, 1, 1000000)                                                    \
	X(store, group, store_group, INT, "256", true, 1, 10000)                                                       \
	X(store, cache, store_cache, BYTES, "16MiB", false, 65536, 1099511627776)                                      \
	X(store, memory, store_memory, BYTES, "160MiB", false, 16777216, 1099511627776)                                \
	X(store, value_limit, store_value_limit, BYTES, "16MiB", false, 1024, 1000000000)                              \
	X(store, sql_limit, store_sql_limit, BYTES, "1MiB", false, 1024, 1000000000)                                   \
	X(store, wal_cap, store_wal_cap, BYTES, "64MiB", true, 1048576, 1099511627776)                                 \
	X(store, wal_hard_cap, store_wal_hard_cap, BYTES, "512MiB", true, 1048576, 1099511627776)                      \
	X(store, checkpoint_at, store_checkpoint_at, BYTES, "32MiB", true, 65536, 1099511627776)                       \
	X(store, checkpoint, store_checkpoint, STRING, "internal", false, 0, 0)                                        \
	X(store, disk_reserve, store_disk_reserve, BYTES, "64MiB", true, 0, 1099511627776)                             \
	X(store, background_share, store_background_share, PERCENT, "20", true, 1, 90)                                 \
	X(store, backup_folder, store_backup_folder, STRING, "", false, 0, 0)                                          \
	X(store, statements, store_statements, INT, "1000", false, 0, 10000)                                           \
	X(server, socket, server_socket, STRING, "/run/alterd/alterd.sock", false, 0, 0)                               \
	X(server, socket_mode, server_socket_mode, MODE, "0660", false, 0, 511)                                        \
	X(server, backlog, server_backlog, INT, "128", false, 1, 65535)                                                \
	X(server, sessions, server_sessions, INT, "256", true, 1, 100000)                                              \
	X(server, user_share, server_user_share, PERCENT, "75", true, 1, 100)                                          \
	X(server, admin_sessions, server_admin_sessions, INT, "3", true, 0, 1000)                                      \
	X(server, line_limit, server_line_limit, BYTES, "16MiB", true, 4096, 1073741824)                               \
	X(server, line_time, server_line_time, MS, "30s", true, 100, 3600000)                                          \
	X(server, in_flight, server_in_flight, INT, "64", true, 1, 10000)                                              \
	X(server, input_budget, server_input_budget, BYTES, "64MiB", true, 1048576, 1099511627776)                     \
	X(server, output_high, server_output_high, BYTES, "1MiB", true, 65536, 1073741824)                             \
	X(server, output_low, server_output_low, BYTES, "256KiB", true, 4096, 1073741824)                              \
	X(server, send_time, server_send_time, MS, "60s", true, 1000, 86400000)                                        \
	X(server, event_queue, server_event_queue, INT, "256", true, 1, 100000)                                        \
	X(server, page_rows, server_page_rows, INT, "1000", true, 1, 1000000)                                          \
	X(server, page_bytes, server_page_bytes, BYTES, "1MiB", true, 4096, 1073741824)                                \
	X(server, drain, server_drain, MS, "10s", true, 0, 600000)                                                     \
	X(server, metrics_socket, server_metrics_socket, STRING, "", false, 0, 0)                                      \
	X(server, metrics_mode, server_metrics_mode, MODE, "0666", false, 0, 511)                                      \
	X(limits, read_time, limits_read_time, MS, "30s", true, 1, 86400000)                                           \
	X(limits, write_time, limits_write_time, MS, "5s", true, 1, 86400000)                                          \
	X(limits, wait, limits_wait, MS, "5s", true, 0, 86400000)                                                      \
	X(limits, tx_time, limits_tx_time, MS, "5s", true, 1, 86400000)                                                \
	X(limits, tx_idle, limits_tx_idle, MS, "2s", true, 1, 86400000)                                                \
	X(limits, cursor_time, limits_cursor_time, MS, "5min", true, 1, 86400000)                                      \
	X(limits, cursor_idle, limits_cursor_idle, MS, "30s", true, 1, 86400000)                                       \
	X(roles, ro_sessions, roles_ro_sessions, INT, "0", true, 0, 100000)                                            \
	X(roles, ro_read_time, roles_ro_read_time, MS, "0ms", true, 0, 86400000)                                       \
	X(roles, ro_page_rows, roles_ro_page_rows, INT, "0", true, 0, 1000000)                                         \
	X(roles, rw_sessions, roles_rw_sessions, INT, "0", true, 0, 100000)                                            \
	X(roles, rw_read_time, roles_rw_read_time, MS, "0ms", true, 0, 86400000)                                       \
	X(roles, rw_write_time, roles_rw_write_time, MS, "0ms", true, 0, 86400000)                                     \
	X(roles, rw_page_rows, roles_rw_page_rows, INT, "0", true, 0, 1000000)                                         \
	X(roles, migrate_sessions, roles_migrate_sessions, INT, "0", true, 0, 100000)                                  \
	X(roles, migrate_read_time, roles_migrate_read_time, MS, "0ms", true, 0, 86400000)                             \
	X(roles, migrate_write_time, roles_migrate_write_time, MS, "0ms", true, 0, 86400000)                           \
	X(roles, migrate_page_rows, roles_migrate_page_rows, INT, "0", true, 0, 1000000)                               \
	X(migrate, hold, migrate_hold, MS, "3ms", true, 1, 1000)                                                       \
	X(migrate, batch_rows, migrate_batch_rows, INT, "5000", true, 1, 1000000)                                      \
	X(migrate, duty, migrate_duty, PERCENT, "60", true, 1, 100)                                                    \
	X(migrate, client_wait, migrate_client_wait, MS, "20ms", true, 0, 60000)                                       \
	X(migrate, queue, migrate_queue, INT, "32", true, 1, 10000)                                                    \
	X(migrate, retire_pause, migrate_retire_pause, MS, "0ms", true, 0, 10000)                                      \
	X(migrate, folder, migrate_folder, STRING, "", false, 0, 0)                                                    \
	X(migrate, on_start, migrate_on_start, STRING, "none", false, 0, 0)                                            \
	X(migrate, try_folder, migrate_try_folder, STRING, "", false, 0, 0)                                            \
	X(migrate, format, migrate_format, STRING, "auto", false, 0, 0)                                                \
	X(migrate, mirror_history, migrate_mirror_history, BOOL, "no", true, 0, 0)                                     \
	X(migrate, backup, migrate_backup, STRING, "none", true, 0, 0)                                                 \
	X(migrate, backup_keep, migrate_backup_keep, INT, "5", true, 1, 10000)                                         \
	X(log, level, log_level, STRING, "info", true, 0, 0)                                                           \
	X(log, format, log_format, STRING, "auto", false, 0, 0)                                                        \
	X(log, journal, log_journal, STRING, "/run/systemd/journal/socket", false, 0, 0)                               \
	X(log, slow, log_slow, MS, "0ms", true, 0, 86400000)

#endif
