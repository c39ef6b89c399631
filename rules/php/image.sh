#!/bin/sh
# image.sh VERSION: lets PHP of that version's packages read what the PHP that an image had compiled itself read, where it has
# taken that one's place. Of modules that both would load, those of the packages are loaded as packages do it.
set -eu
own=/usr/local/etc packaged=/etc/php/$1

led=
for program in /usr/local/bin/php /usr/local/sbin/php-fpm; do
  [ ! -L "$program" ] || case $(readlink "$program") in *"$1") led=yes ;; esac
done
[ -n "$led" ] || exit 0

built_in=$("php$1" -n -m 2>/dev/null | tr '[:upper:]' '[:lower:]') || built_in=

# loaded FILE: the modules that it loads, a line each.
loaded() {
  sed -n 's/^[[:space:]]*\(zend_\)\{0,1\}extension[[:space:]]*=[[:space:]]*"\{0,1\}\([^";[:space:]]*\).*/\2/p' "$1" | sed 's|.*/||; s/\.so$//'
}
# says FILE: whether it says more than which modules are loaded.
says() { grep -v '^[[:space:]]*\(;\|#\|\[\|$\|\(zend_\)\{0,1\}extension[[:space:]]*=\)' "$1" >/dev/null; }
# is_there MODULE DIRECTORY: whether it is built in, or loaded by a file of the directory.
is_there() {
  for link in "$2"/[0-9]*-"$1".ini; do
    [ ! -e "$link" ] || return 0
  done
  printf '%s\n' "$built_in" | grep -qxF "$1"
}

for dir in "$packaged"/*/conf.d; do
  [ -d "$dir" ] || continue
  # Without one an image's PHP went by its own values.
  rm -f "${dir%/conf.d}/php.ini"
  [ ! -e "$own/php/php.ini" ] || ln -s "$own/php/php.ini" "${dir%/conf.d}/php.ini"
  for file in "$own"/php/conf.d/*.ini; do
    [ -f "$file" ] || continue
    wanted=
    for module in $(loaded "$file"); do
      is_there "$module" "$dir" || wanted=yes
    done
    if says "$file"; then
      for module in $(loaded "$file"); do
        rm -f "$dir"/[0-9]*-"$module".ini
      done
      wanted=yes
    fi
    [ -z "$wanted" ] || ln -sf "$file" "$dir/${file##*/}"
  done
done

# An image's server was made for /usr/local, and its files are said from there.
if [ -d "$packaged/fpm" ] && [ -f "$own/php-fpm.conf" ]; then
  sed 's|^\([[:space:]]*include[[:space:]]*=[[:space:]]*\)etc/|\1/usr/local/etc/|' "$own/php-fpm.conf" >"$packaged/fpm/php-fpm.conf"
fi

# Where the server loads it by the image's own file, that of the package would load it once more.
if grep -ls '^[[:space:]]*LoadModule php_module ' /etc/apache2/mods-enabled/*.load | grep -qv "/php$1\.load$"; then
  a2dismod -q "php$1" >/dev/null
fi
