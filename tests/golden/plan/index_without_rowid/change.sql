create unique index if not exists main."t v"
  on t(v DESC, length(b)) where v > 3
