# The Debian packages: `cpack -G DEB --config build/CPackConfig.cmake`, after a build with -DCMAKE_INSTALL_PREFIX=/usr.
#
#     alterd         the daemon, alterctl, units, manual pages
#     libalterd0     the client library, for programs that use it
#     libalterd-dev  header and names for the linker, for those who build such programs
#
# What happens at installing and removing is in systemd/deb.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME alterd)
set(CPACK_PACKAGE_CONTACT "The alterd authors <alterd@localhost>" CACHE STRING "Maintainer: of the packages")
set(CPACK_COMPONENTS_ALL alterd libalterd0 libalterd-dev)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
# Whatever umask they are built under.
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ
  WORLD_EXECUTE)
# The units name the paths of the build: checked as the packages are made.
set(CPACK_ALTERD_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_SOURCE_DIR}/systemd/package_check.cmake)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS ON)
# What is linked with the library needs one that is no older.
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")

set(CPACK_COMPONENT_ALTERD_DESCRIPTION
  "SQLite daemon with online schema changes\n\
alterd owns a SQLite file, serves it to any number of programs over a Unix\n\
socket, and changes its tables while they work. This package has the daemon,\n\
its systemd units, and alterctl, which speaks to it.")
set(CPACK_DEBIAN_ALTERD_PACKAGE_NAME alterd)
set(CPACK_DEBIAN_ALTERD_PACKAGE_SECTION database)
set(CPACK_DEBIAN_ALTERD_PACKAGE_SHLIBDEPS ON)
# What it was tried with; by its symbols alone an older one would do.
set(CPACK_DEBIAN_ALTERD_PACKAGE_DEPENDS "libsqlite3-0 (>= 3.40)")
# kill, for systemctl reload.
set(CPACK_DEBIAN_ALTERD_PACKAGE_RECOMMENDS procps)
set(CPACK_DEBIAN_ALTERD_PACKAGE_SUGGESTS "bash-completion, sqlite3")
set(deb ${CMAKE_SOURCE_DIR}/systemd/deb)
set(CPACK_DEBIAN_ALTERD_PACKAGE_CONTROL_EXTRA ${deb}/conffiles ${deb}/postinst ${deb}/prerm ${deb}/postrm)

set(CPACK_COMPONENT_LIBALTERD0_DESCRIPTION
  "client library of alterd\nBlocking calls to an alterd daemon over its Unix socket, for programs in C.")
set(CPACK_DEBIAN_LIBALTERD0_PACKAGE_NAME libalterd0)
set(CPACK_DEBIAN_LIBALTERD0_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIBALTERD0_PACKAGE_SHLIBDEPS ON)

set(CPACK_COMPONENT_LIBALTERD-DEV_DESCRIPTION
  "client library of alterd, development files\n\
What it takes to build programs that use libalterd: the header alterd.h,\n\
alterd.pc for pkg-config, and alterdConfig.cmake.")
set(CPACK_COMPONENT_LIBALTERD-DEV_DEPENDS libalterd0)
set(CPACK_DEBIAN_LIBALTERD-DEV_PACKAGE_NAME libalterd-dev)
set(CPACK_DEBIAN_LIBALTERD-DEV_PACKAGE_SECTION libdevel)

foreach(package ${CPACK_COMPONENTS_ALL})
  install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package} RENAME copyright COMPONENT ${package})
endforeach()
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/alterd COMPONENT alterd)
install(FILES proto/README.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/alterd RENAME protocol.md COMPONENT alterd)
include(CPack)
