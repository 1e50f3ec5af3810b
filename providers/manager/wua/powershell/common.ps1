# What both scripts begin with. They speak to the interfaces of the Windows Update Agent by PowerShell 3 or newer; what goes in and comes
# out is told by package powershell. They are sent without leading blanks and without lines like this one, and have to be short, ASCII,
# and without strings of several lines. Blocks that are given to Note see the variables of whoever called it.
$j=@($input) -join ''
$ErrorActionPreference='Stop'
$ProgressPreference='SilentlyContinue'
$bad=@{}
# Nobody knows the code page of the console, and what the pipeline prints may be wrapped: one line of ASCII goes out.
function Say($o){
    [Console]::Out.Write([regex]::Replace((ConvertTo-Json $o -Depth 8 -Compress),'[^ -~]',{param($m)'\u{0:x4}' -f [int][char]$m.Value}))
}
function Why($e){
    $x=$e.Exception.GetBaseException()
    @{HResult='0x{0:X8}' -f [Runtime.InteropServices.Marshal]::GetHRForException($x);Message=$x.Message}
}
# What cannot be read is noted, and nothing else is lost by it.
function Note($n,$f){
    try{&$f}catch{$bad[$n]=(Why $_).HResult}
}
function Put($to,$from,$names){
    foreach($n in $names){Note $n {
        $v=$from.$n
        if($v -is [datetime]){$v='{0:s}Z' -f $v}
        if($null -ne $v){$to[$n]=$v}
    }}
}
# Who changes the device holds this, so that a script that nobody waits for any more is seen.
$lock='Global\patchflow-wua'
