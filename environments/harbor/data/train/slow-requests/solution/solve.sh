#!/bin/bash
set -e
cd /app
sed 's/ms$//' access.log | awk '$6 >= 1000 { n[$4]++ } END { for (p in n) print p, n[p] }' |
  sort -k2,2nr -k1,1 > slow.txt
