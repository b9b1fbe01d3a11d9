-- A creation that was given up and is not to be made again either. $1 transaction.
delete from creation
where transaction = $1
