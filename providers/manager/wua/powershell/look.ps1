# Searches, and tells how the device stands.
try{
    $a=ConvertFrom-Json $j
    $s=New-Object -ComObject Microsoft.Update.Session
    $s.ClientApplicationID=$a.name
    $o=@{}
    $i=New-Object -ComObject Microsoft.Update.SystemInfo
    Put $o $i RebootRequired
    if($a.op -ceq 'system'){
        $k='HKLM:\SYSTEM\CurrentControlSet'
        $o.Boot=(Get-ItemProperty "$k\Control\Session Manager\Memory Management\PrefetchParameters" BootId -EA 0).BootId
        $o.Start=(Get-ItemProperty "$k\Services\wuauserv" Start -EA 0).Start
        Put $o $s.CreateUpdateInstaller() ('RebootRequiredBeforeInstallation','IsBusy')
        Note Changing {
            $m=$null
            $o.Changing=[Threading.Mutex]::TryOpenExisting($lock,[ref]$m)
        }
        Say @{System=$o}
    }elseif($a.op -ceq 'search'){
        $r=$s.CreateUpdateSearcher().Search($a.criteria)
        $o.At='{0:s}Z' -f [DateTime]::UtcNow
        $o.ResultCode=$r.ResultCode
        $o.Updates=[object[]]@(foreach($u in $r.Updates){
            $bad=@{}
            $p=@{Identity=@{};InstallationBehavior=@{}}
            Put $p $u ('Title','MsrcSeverity','Type','MaxDownloadSize','LastDeploymentChangeTime','IsInstalled','IsDownloaded','IsHidden','IsMandatory','IsUninstallable','RebootRequired','BrowseOnly','EulaAccepted')
            foreach($l in 'KBArticleIDs','CveIDs','SecurityBulletinIDs','MoreInfoUrls','SupersededUpdateIDs'){Note $l {
                $c=$u.$l
                if($null -ne $c){$p[$l]=[string[]]@(foreach($t in $c){"$t"})}
            }}
            Note Identity {Put $p.Identity $u.Identity ('UpdateID','RevisionNumber')}
            Note InstallationBehavior {Put $p.InstallationBehavior $u.InstallationBehavior ('CanRequestUserInput','Impact','RebootBehavior','RequiresNetworkConnectivity')}
            Note Categories {$p.Categories=[object[]]@(foreach($c in $u.Categories){
                $b=@{}
                Put $b $c ('CategoryID','Name','Type')
                $b
            })}
            $p.Errors=$bad
            $p
        })
        Say @{Search=$o}
    }else{throw "no op: $($a.op)"}
}catch{Say @{Error=Why $_}}
