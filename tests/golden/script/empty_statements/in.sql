;;
  ; -- nothing
SELECT 1;;;
;
