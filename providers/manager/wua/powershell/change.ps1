# Downloads, installs and uninstalls the updates that are named, in their order.
try{
    $a=ConvertFrom-Json $j
    if('download','install','uninstall' -cnotcontains $a.op){throw "no op: $($a.op)"}
    $q=@(foreach($i in $a.updates){
        if($i -cnotmatch '\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\z'){throw "no UpdateID: $i"}
        "UpdateID='$i'"
    }) -join ' or '
    if(!$q){throw 'no updates'}
    $h=New-Object Threading.Mutex($false,$lock)
    $s=New-Object -ComObject Microsoft.Update.Session
    $s.ClientApplicationID=$a.name
    $by=@{}
    $r=$s.CreateUpdateSearcher().Search($q)
    foreach($u in $r.Updates){$by[$u.Identity.UpdateID]=$u}
    $c=New-Object -ComObject Microsoft.Update.UpdateColl
    foreach($i in $a.updates){
        $u=$by[$i]
        if($null -eq $u){
            Say @{Error=@{Unknown=$i}}
            exit
        }
        if($a.accept -and !$u.EulaAccepted){$u.AcceptEula()}
        [void]$c.Add($u)
    }
    if($a.op -ceq 'download'){$w=$s.CreateUpdateDownloader()}else{
        $w=$s.CreateUpdateInstaller()
        Note ForceQuiet {$w.ForceQuiet=$true}
    }
    $w.Updates=$c
    switch -CaseSensitive($a.op){
        'download'{$d=$w.Download()}
        'install'{$d=$w.Install()}
        'uninstall'{$d=$w.Uninstall()}
    }
    $o=@{}
    $e='ResultCode','HResult','RebootRequired'
    Put $o $d $e
    $n=0
    $o.Each=[object[]]@(foreach($i in $a.updates){
        $p=@{UpdateID=$i}
        Put $p $d.GetUpdateResult($n) $e
        $n++
        $p
    })
    Say @{Outcome=$o}
    $h.Dispose()
}catch{Say @{Error=Why $_}}
