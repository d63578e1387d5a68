# Read by cpack for each generator: a package whose units name a program that is somewhere else is worse than none.
if(NOT CPACK_ALTERD_PREFIX STREQUAL "/usr")
  message(FATAL_ERROR "this build is for ${CPACK_ALTERD_PREFIX}: configure it with -DCMAKE_INSTALL_PREFIX=/usr for packages")
endif()
