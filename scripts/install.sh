#!/usr/bin/env bash
# install.sh DESTDIR PREFIX VERSION: puts what is in build/ in place.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$1$2 prefix=$2 version=$3
install -d "$root/lib/pkgconfig" "$root/lib/cmake/Alpaca" "$root/include" "$root/bin"
install -m 755 "build/lib/libalpaca.so.$version" "$root/lib/"
ln -sf "libalpaca.so.$version" "$root/lib/libalpaca.so.1"
ln -sf libalpaca.so.1 "$root/lib/libalpaca.so"
install -m 644 include/alpaca.h "$root/include/"
install -m 755 build/bin/alpaca "$root/bin/"
cat > "$root/lib/pkgconfig/alpaca.pc" <<END
prefix=$prefix
libdir=\${prefix}/lib
includedir=\${prefix}/include

Name: alpaca
Description: Engine for Chinese LLaMA and Alpaca models
Version: $version
Libs: -L\${libdir} -lalpaca
Cflags: -I\${includedir}
END
cat > "$root/lib/cmake/Alpaca/AlpacaConfig.cmake" <<'END'
# Gives the target Alpaca::alpaca.
get_filename_component(_alpaca_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
if(NOT TARGET Alpaca::alpaca)
  add_library(Alpaca::alpaca SHARED IMPORTED)
  set_target_properties(Alpaca::alpaca PROPERTIES
    IMPORTED_LOCATION "${_alpaca_prefix}/lib/libalpaca.so.1"
    IMPORTED_SONAME "libalpaca.so.1"
    INTERFACE_INCLUDE_DIRECTORIES "${_alpaca_prefix}/include")
endif()
END
cat > "$root/lib/cmake/Alpaca/AlpacaConfigVersion.cmake" <<END
set(PACKAGE_VERSION "$version")
if(PACKAGE_FIND_VERSION VERSION_GREATER PACKAGE_VERSION OR NOT PACKAGE_FIND_VERSION_MAJOR STREQUAL "${version%%.*}")
  set(PACKAGE_VERSION_COMPATIBLE FALSE)
else()
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
  if(PACKAGE_FIND_VERSION STREQUAL PACKAGE_VERSION)
    set(PACKAGE_VERSION_EXACT TRUE)
  endif()
endif()
END
echo "installed in $root"
