# Builds again, from what is installed here, each of the packages named, with a higher version, and makes them this host's
# only package source. Arguments: what is put after the version, the source's suite and label, then the names.
set -e
suffix=$1 suite=$2 label=$3
shift 3
source=/srv/packages
rm -rf "$source" && mkdir -p "$source"
work=$(mktemp -d)
for name in "$@"; do
  root=$work/$name
  mkdir -p "$root/DEBIAN"
  dpkg-query -L "$name" | while read -r path; do
    case $path in
      /.) continue ;;
      # Names from before the merge of /usr: links in the root directory, which no package may bring.
      /bin | /sbin | /lib | /lib64 | /bin/* | /sbin/* | /lib/* | /lib64/*) path=/usr$path ;;
    esac
    if [ -d "$path" ] && [ ! -L "$path" ]; then
      mkdir -p "$root$path"
      chmod --reference="$path" "$root$path"
      chown --reference="$path" "$root$path"
    elif [ -e "$path" ] || [ -L "$path" ]; then
      mkdir -p "$root${path%/*}"
      cp -a "$path" "$root$path"
    fi
  done
  for part in conffiles preinst postinst prerm postrm config templates triggers; do
    if [ -e "/var/lib/dpkg/info/$name.$part" ]; then cp -a "/var/lib/dpkg/info/$name.$part" "$root/DEBIAN/$part"; fi
  done
  # A conffile that somebody has removed is none of the package's any more.
  if [ -e "$root/DEBIAN/conffiles" ]; then
    while read -r path; do if [ -f "$root$path" ]; then echo "$path"; fi; done < "$root/DEBIAN/conffiles" > "$work/conffiles"
    cp "$work/conffiles" "$root/DEBIAN/conffiles"
  fi
  dpkg-query -s "$name" | awk -v suffix="$suffix" '
    /^Status:/ { next }
    /^Conffiles:/ { skip = 1; next }
    /^ / && skip { next }
    { skip = 0 }
    /^Version:/ { print $0 suffix; next }
    { print }' > "$root/DEBIAN/control"
  dpkg-deb -Znone -b "$root" "$source/$name.deb" > /dev/null
  {
    dpkg-deb -f "$source/$name.deb"
    echo "Filename: ./$name.deb"
    echo "Size: $(stat -c %s "$source/$name.deb")"
    echo "SHA256: $(sha256sum "$source/$name.deb" | cut -d' ' -f1)"
    echo
  } >> "$source/Packages"
done
rm -rf "$work"
{
  echo "Origin: Debian"
  echo "Label: $label"
  echo "Suite: $suite"
  echo "Codename: $suite"
  echo "Date: $(LC_ALL=C date -u '+%a, %d %b %Y %H:%M:%S UTC')"
  echo "SHA256:"
  echo " $(sha256sum "$source/Packages" | cut -d' ' -f1) $(stat -c %s "$source/Packages") Packages"
} > "$source/Release"
# Another archive than before, to apt: of one that it knows it does not accept another name.
rm -rf /var/lib/apt/lists
mkdir -p /root/sources
find /etc/apt/sources.list.d -type f -exec mv -t /root/sources {} +
echo "deb [trusted=yes] file:$source ./" > /etc/apt/sources.list
