SELECT 1 /*/;
