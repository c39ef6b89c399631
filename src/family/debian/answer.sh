#!/bin/sh
# Answers packages' questions before they are asked; systems without debconf have none.
! command -v debconf-set-selections >/dev/null || debconf-set-selections
